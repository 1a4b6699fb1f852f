package org.maskedkd.cli;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.maskedkd.vit.SafetensorsFile;

/**
 * A run on models so small that its steps take milliseconds: the process that leads it and what it
 * leaves behind.
 */
record TinyRun(Path path, MaskedKdProcess process) {
  static final String STUDENT = "vit:image=16,patch=4,width=16,depth=2,heads=2,classes=3";
  static final String TEACHER = "vit:image=16,patch=4,width=24,depth=1,heads=2,classes=3";
  static final String TEACHER_WEIGHTS = "random:7";
  static final int STEPS_PER_EPOCH = 4;
  static final int BATCH = 12;

  private static final Duration SLOWEST_STEP = Duration.ofMillis(500);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern STARTED = Pattern.compile("StageProcess: (\\S+) is process (\\d+):");

  /** Many steps without an evaluation or a checkpoint between them, for runs that are stopped. */
  static final String[] LONG = {
    "data.train=generated:classes=3,images=1200,size=16,patch=4,seed=1,split=train",
    "schedule.epochs=50",
    "optimizer.warmup-epochs=0",
    "evaluation.every-epochs=0"
  };

  /** Writes the configuration that all runs begin with. */
  static String config(Path folder) {
    Path file = folder.resolve("tiny.yaml");
    String yaml =
        """
        seed: 3
        student: {model: "%s", threads: 1, drop-path: 0.2}
        teacher: {model: "%s", weights: "%s", threads: 1}
        data:
          train: "generated:classes=3,images=%d,size=16,patch=4,seed=1,split=train"
          eval: "generated:classes=3,images=24,size=16,patch=4,seed=1,split=eval"
        optimizer: {learning-rate: 1.0e-3}
        schedule: {epochs: 2, batch: %d, micro-batches: 3}
        """
            .formatted(STUDENT, TEACHER, TEACHER_WEIGHTS, STEPS_PER_EPOCH * BATCH, BATCH);
    try {
      Files.createDirectories(folder);
      Files.writeString(file, yaml);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return file.toString();
  }

  /** The arguments of {@code train} for a run in {@code folder}/runs, followed by more. */
  static TinyRun train(Path folder, String name, String... arguments) {
    List<String> all =
        new ArrayList<>(List.of("train", "-c", config(folder), "--name", name, "--runs-dir"));
    Path runs = folder.resolve("runs");
    all.add(runs.toString());
    all.addAll(List.of(arguments));
    return new TinyRun(
        runs.resolve(name), MaskedKdProcess.start(folder, all.toArray(String[]::new)));
  }

  /** {@code train --resume} of this run, followed by more. */
  TinyRun trainOn(String... arguments) {
    List<String> all = new ArrayList<>(List.of("train", "--resume", path.toString()));
    all.addAll(List.of(arguments));
    return new TinyRun(path, MaskedKdProcess.start(path, all.toArray(String[]::new)));
  }

  /** Waits for the process's end, which must come with this code. */
  TinyRun endsWith(int code) {
    process.endsWith(code);
    return this;
  }

  /** What the process said. */
  String said() {
    return process.said();
  }

  /** Waits until so many steps are committed. */
  TinyRun awaitSteps(int count) {
    await(count + " steps of " + process)
        .atMost(MaskedKdProcess.PATIENCE.plus(SLOWEST_STEP.multipliedBy(count)))
        .pollInterval(Duration.ofMillis(10))
        .until(
            () -> {
              boolean ended = !process.isAlive();
              long committed = committed();
              if (ended && committed < count) {
                throw new AssertionError(process + " ended after " + committed + ":\n" + said());
              }
              return committed >= count;
            });
    return this;
  }

  /** Counts line breaks, since a long run's file would take long to read as JSON. */
  private long committed() throws IOException {
    Path metrics = path.resolve("metrics.jsonl");
    if (!Files.exists(metrics)) {
      return 0;
    }
    long count = 0;
    for (byte b : Files.readAllBytes(metrics)) {
      count += b == '\n' ? 1 : 0;
    }
    return count;
  }

  /** The whole lines of a file of JSON lines, none if there is no such file. */
  List<JsonNode> lines(String file) {
    Path lines = path.resolve(file);
    if (!Files.exists(lines)) {
      return List.of();
    }
    try {
      String text = Files.readString(lines);
      // What stands behind the last line break is still being written.
      String whole = text.substring(0, text.lastIndexOf('\n') + 1);
      return whole.lines().map(TinyRun::json).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode json(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The steps of {@code metrics.jsonl}, in its order. */
  List<Long> steps() {
    return lines("metrics.jsonl").stream().map(line -> line.get("step").asLong()).toList();
  }

  /** The losses of {@code metrics.jsonl}, in its order. */
  List<Double> losses() {
    return lines("metrics.jsonl").stream().map(line -> line.get("loss").asDouble()).toList();
  }

  static List<Long> firstSteps(long count) {
    return LongStream.rangeClosed(1, count).boxed().toList();
  }

  /** The final weights by name. */
  Map<String, float[]> weights() {
    return tensors(path.resolve("student.safetensors"));
  }

  static Map<String, float[]> tensors(Path file) {
    Map<String, float[]> tensors = new TreeMap<>();
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      open.names().forEach(name -> tensors.put(name, open.readFloats(name)));
    }
    return tensors;
  }

  /** What {@code map} has under {@code name}, which must be there. */
  static <T> T named(Map<String, T> map, String name) {
    T value = map.get(name);
    if (value == null) {
      throw new AssertionError("no " + name + ", only " + map.keySet());
    }
    return value;
  }

  /** The steps that have a checkpoint, ascending. */
  List<Long> checkpoints() {
    Path folder = path.resolve("checkpoints");
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var all = Files.list(folder)) {
      return all.map(p -> p.getFileName().toString())
          .filter(name -> name.matches("step-\\d+"))
          .map(name -> Long.valueOf(name.substring("step-".length())))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The process of each stage that was started for this run, the last one of each name. */
  Map<String, Long> stages() {
    Map<String, Long> pids = new LinkedHashMap<>();
    Path log = path.resolve("logs").resolve("coordinator.log");
    try {
      Matcher matcher = STARTED.matcher(Files.exists(log) ? Files.readString(log) : "");
      while (matcher.find()) {
        pids.put(matcher.group(1), Long.valueOf(matcher.group(2)));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return pids;
  }
}
