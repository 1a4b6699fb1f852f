package org.maskedkd.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.xml.parsers.DocumentBuilderFactory;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/** A run directory with files of known numbers, and the report of it as a document. */
record ReportedRun(Path path) {
  static final int STEPS_PER_EPOCH = 4;

  /** Half a second a step, 24 images/s; the loss falls from 2 by 1 over the run. */
  static ReportedRun write(Path folder, String name, int steps, String... overrides) {
    List<String> all = new ArrayList<>(List.of(overrides));
    all.add("name=" + name);
    all.add("runs-dir='" + folder + "'");
    RunConfig config = ConfigLoader.load(Path.of(TinyRun.config(folder)), all);
    ReportedRun run = new ReportedRun(config.directory());
    StringBuilder lines = new StringBuilder();
    for (int step = 1; step <= steps; step++) {
      lines.append(
          String.format(
              Locale.ROOT,
              "{\"step\":%d,\"epoch\":%d,\"images\":12,\"loss\":%s,\"loss_base\":2.5,\"loss_distillation\":0.5,\"student_top1\":0.25,\"teacher_top1\":0.75,\"step_seconds\":0.5,\"images_per_second\":24,\"pipeline\":{\"bubble\":%s,\"imbalance\":0.2,\"idle_seconds\":{\"student\":{\"fill\":0.05,\"drain\":0.1},\"teacher-0\":{\"fill\":0.25,\"drain\":0.0}}}}%n",
              step,
              (step - 1) / STEPS_PER_EPOCH,
              2.0 - (double) step / steps,
              step % 2 == 0 ? 0.05 : 0.15));
    }
    run.put("metrics.jsonl", lines.toString());
    run.put("config.yaml", ConfigLoader.toYaml(config));
    run.put(
        "state.json",
        "{\"coordinator\":{\"config_digest\":\"c0ffee\",\"attempt\":2},\"numerics\":{\"threads\":\"1\"}}");
    return run;
  }

  /** Evaluations after each epoch with these shares right of 200 images. */
  ReportedRun evaluated(double... top1) {
    StringBuilder lines = new StringBuilder();
    for (int epoch = 0; epoch < top1.length; epoch++) {
      lines.append(
          String.format(
              Locale.ROOT,
              "{\"epoch\":%d,\"step\":%d,\"train_loss\":1.5,\"train_top1\":0.25,\"teacher_train_top1\":0.75,\"images\":200,\"loss\":1.25,\"top1\":%s,\"top5\":0.875,\"best\":true}%n",
              epoch,
              STEPS_PER_EPOCH * (epoch + 1),
              top1[epoch]));
    }
    return put("epochs.jsonl", lines.toString());
  }

  /** Weights with nothing but metadata. */
  ReportedRun exported() {
    byte[] header =
        ("{\"__metadata__\":{\"teacher_model\":\""
                + TinyRun.TEACHER
                + "\",\"program\":\"0.1 <b>\",\"teacher_sha256\":\"abc123\"}}")
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
    return put("student.safetensors", file.putLong(header.length).put(header).array());
  }

  ReportedRun put(String file, String text) {
    return put(file, text.getBytes(StandardCharsets.UTF_8));
  }

  ReportedRun put(String file, byte[] bytes) {
    try {
      Files.createDirectories(path);
      Files.write(path.resolve(file), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return this;
  }

  /** What {@code maskedkd report} writes of a directory, which must be well-formed XML. */
  static Document report(Path directory) {
    return parse(Report.write(directory, null));
  }

  static Document parse(Path file) {
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .parse(new ByteArrayInputStream(Files.readAllBytes(file)));
    } catch (Exception e) {
      throw new AssertionError(file + " is not well-formed: " + e, e);
    }
  }

  /** The elements of a tag whose class has this word, all of the tag for an empty word. */
  static List<Element> elements(Document document, String tag, String word) {
    NodeList all = document.getElementsByTagName(tag);
    List<Element> found = new ArrayList<>();
    for (int i = 0; i < all.getLength(); i++) {
      Element element = (Element) all.item(i);
      if (word.isEmpty() || List.of(element.getAttribute("class").split(" ")).contains(word)) {
        found.add(element);
      }
    }
    return found;
  }

  static List<String> texts(Document document, String tag, String word) {
    return elements(document, tag, word).stream().map(ReportedRun::text).toList();
  }

  /** As a browser shows it: white space of any kind and number is one blank. */
  static String text(Node node) {
    return node.getTextContent().replaceAll("\\s+", " ").strip();
  }
}
