package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.maskedkd.vit.SafetensorsFile;

/**
 * What a run has come to: everything that must be the same in two runs of one configuration, and
 * nothing that tells when and how they were run.
 *
 * @param digests SHA-256 over names, types, shapes and bytes of the tensors, by file: the final
 *     weights, and what the last checkpoint holds
 * @param steps the numbers in {@code metrics.jsonl}, in its order
 * @param values what each of its lines says was learned, in the same order
 * @param evaluations what each line of {@code epochs.jsonl} says was measured
 */
record RunTrace(
    Map<String, String> digests, List<Long> steps, List<String> values, List<String> evaluations) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String FINAL = "student.safetensors";
  private static final List<String> LEARNED =
      List.of(
          "step",
          "epoch",
          "learning_rate",
          "images",
          "loss",
          "loss_base",
          "loss_distillation",
          "student_top1",
          "teacher_top1",
          "gradient_norm");
  private static final List<String> EVALUATED =
      List.of("epoch", "step", "train_loss", "images", "loss", "top1", "top5", "ema_top1", "best");

  /** Reads the directory of a run that has ended. */
  static RunTrace of(Path run) throws IOException {
    Map<String, String> digests = new TreeMap<>();
    digests.put(FINAL, digest(run.resolve(FINAL)));
    Path checkpoint = lastCheckpoint(run.resolve("checkpoints"));
    try (Stream<Path> files = Files.list(checkpoint)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        digests.put(run.relativize(file).toString(), digest(file));
      }
    }
    List<JsonNode> steps = lines(run.resolve("metrics.jsonl"));
    return new RunTrace(
        digests,
        steps.stream().map(line -> line.path("step").asLong()).toList(),
        steps.stream().map(line -> values(line, LEARNED)).toList(),
        lines(run.resolve("epochs.jsonl")).stream().map(line -> values(line, EVALUATED)).toList());
  }

  private static String values(JsonNode line, List<String> names) {
    // A double is written so that reading it gives the same bits.
    return names.stream().map(name -> name + "=" + line.path(name)).toList().toString();
  }

  private static Path lastCheckpoint(Path folder) throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(p -> p.getFileName().toString().matches("step-\\d+"))
          .max((a, b) -> Long.compare(step(a), step(b)))
          .orElseThrow(() -> new IOException("there is no checkpoint in " + folder));
    }
  }

  private static long step(Path checkpoint) {
    return Long.parseLong(checkpoint.getFileName().toString().substring("step-".length()));
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  private static String digest(Path file) {
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      for (String name : new TreeSet<>(tensors.names())) {
        String head = name + tensors.type(name) + Arrays.toString(tensors.shape(name));
        sha.update(head.getBytes(StandardCharsets.UTF_8));
        tensors.readBytes(name, (ByteBuffer window) -> sha.update(window));
      }
      return HexFormat.of().formatHex(sha.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java runtime has SHA-256", e);
    }
  }

  /** The digest of the final weights. */
  String weights() {
    return String.valueOf(digests.get(FINAL));
  }

  /** In what it differs from a run that nothing was done to; empty if in nothing. */
  List<String> differencesFrom(RunTrace reference) {
    List<String> found = new ArrayList<>();
    List<Long> expected = LongStream.rangeClosed(1, reference.steps.size()).boxed().toList();
    if (!steps.equals(expected)) {
      found.add(
          "metrics.jsonl holds the steps %s, expected 1 to %d once each"
              .formatted(abridged(steps), expected.size()));
    }
    first("metrics.jsonl", values, reference.values, found);
    first("epochs.jsonl", evaluations, reference.evaluations, found);
    if (!digests.keySet().equals(reference.digests.keySet())) {
      found.add(
          "it has the files %s, expected %s"
              .formatted(digests.keySet(), reference.digests.keySet()));
    }
    reference.digests.forEach(
        (file, digest) -> {
          String now = digests.get(file);
          if (now != null && !now.equals(digest)) {
            found.add(
                "the tensors of %s have SHA-256 %s, expected %s".formatted(file, now, digest));
          }
        });
    return found;
  }

  private static void first(
      String file, List<String> lines, List<String> expected, List<String> found) {
    for (int i = 0; i < Math.min(lines.size(), expected.size()); i++) {
      if (!lines.get(i).equals(expected.get(i))) {
        found.add(
            "line %d of %s is %s, expected %s"
                .formatted(i + 1, file, lines.get(i), expected.get(i)));
        return;
      }
    }
    if (lines.size() != expected.size()) {
      found.add("%s has %d lines, expected %d".formatted(file, lines.size(), expected.size()));
    }
  }

  private static String abridged(List<Long> steps) {
    return steps.size() <= 8
        ? steps.toString()
        : "%s ... %s, %d in all"
            .formatted(
                steps.subList(0, 4), steps.subList(steps.size() - 4, steps.size()), steps.size());
  }
}
