package org.maskedkd.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.RunException;
import org.maskedkd.student.CheckpointStore;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.WeightsException;

/**
 * What a run directory holds, as far as it can be read; what cannot is told instead.
 *
 * @param config null if there is none that can be used
 * @param configText the file as it stands, empty if there is none
 * @param steps the sound lines of {@code metrics.jsonl}
 * @param epochs those of {@code epochs.jsonl}
 * @param masks those of {@code masks.jsonl}
 * @param maskImages {@code masks.png}, null if there is none
 * @param timeline {@code timeline.svg}, null if there is none
 * @param state {@code state.json}
 * @param metadata of the newest weights
 * @param exported whether the run has written its last weights
 * @param problems what is missing or damaged
 */
// The array is handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record RunFiles(
    Path directory,
    @Nullable RunConfig config,
    String configText,
    StepTable steps,
    List<JsonNode> epochs,
    List<JsonNode> masks,
    byte @Nullable [] maskImages,
    @Nullable String timeline,
    JsonNode state,
    Map<String, String> metadata,
    boolean exported,
    List<String> problems) {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String CONFIG = "config.yaml";
  private static final String METRICS = "metrics.jsonl";
  private static final String EPOCHS = "epochs.jsonl";

  /** Whether a run has begun in the directory. */
  static boolean isRun(Path directory) {
    return Stream.of(CONFIG, METRICS, EPOCHS)
        .anyMatch(file -> Files.isRegularFile(directory.resolve(file)));
  }

  /** Reads a directory; also while the run writes there. */
  static RunFiles read(Path directory) {
    List<String> problems = new ArrayList<>();
    StepTable steps = new StepTable();
    lines(directory.resolve(METRICS), /* needed= */ true, problems, steps::add);
    List<JsonNode> epochs = new ArrayList<>();
    lines(directory.resolve(EPOCHS), /* needed= */ true, problems, epochs::add);
    List<JsonNode> masks = new ArrayList<>();
    lines(directory.resolve("masks.jsonl"), /* needed= */ false, problems, masks::add);
    Path weights = weights(directory);
    return new RunFiles(
        directory,
        config(directory.resolve(CONFIG), problems),
        Objects.requireNonNullElse(text(directory.resolve(CONFIG), problems), ""),
        steps,
        epochs,
        masks,
        bytes(directory.resolve("masks.png"), problems),
        text(directory.resolve("timeline.svg"), problems),
        state(directory.resolve("state.json"), problems),
        weights == null ? Map.of() : metadata(weights, problems),
        Files.isRegularFile(directory.resolve(CheckpointStore.WEIGHTS)),
        problems);
  }

  String name() {
    return config == null ? String.valueOf(directory.getFileName()) : config.name();
  }

  /** The last evaluation; a missing node if there was none. */
  JsonNode lastEvaluation() {
    return epochs.stream()
        .filter(line -> line.path("top1").isNumber())
        .reduce((first, second) -> second)
        .orElse(MissingNode.getInstance());
  }

  /** Whether all epochs are done and the weights are there. */
  boolean finished() {
    int last = epochs.isEmpty() ? -1 : epochs.get(epochs.size() - 1).path("epoch").asInt();
    return config != null && exported && last == config.schedule().epochs() - 1;
  }

  private static void lines(
      Path file, boolean needed, List<String> problems, Consumer<JsonNode> each) {
    if (!Files.isRegularFile(file)) {
      if (needed) {
        problems.add(file.getFileName() + " is missing");
      }
      return;
    }
    int number = 0;
    int damaged = 0;
    int firstDamaged = 0;
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        JsonNode value = parse(line);
        if (value != null && value.path("step").isIntegralNumber()) {
          each.accept(value);
        } else {
          firstDamaged = damaged == 0 ? number : firstDamaged;
          damaged++;
        }
      }
    } catch (IOException e) {
      problems.add("%s cannot be read behind line %d: %s".formatted(file.getFileName(), number, e));
    }
    if (damaged > 0) {
      problems.add(
          "%s: %d of %d lines damaged and left out, the first is line %d"
              .formatted(file.getFileName(), damaged, number, firstDamaged));
    }
  }

  private static @Nullable JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      // It is counted, and the report says so.
      return null;
    }
  }

  private static @Nullable RunConfig config(Path file, List<String> problems) {
    if (!Files.isRegularFile(file)) {
      problems.add(CONFIG + " is missing");
      return null;
    }
    try {
      return ConfigLoader.load(file, List.of());
    } catch (RunException e) {
      problems.add(CONFIG + " cannot be used: " + e.getMessage());
      return null;
    }
  }

  private static byte @Nullable [] bytes(Path file, List<String> problems) {
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      problems.add(file.getFileName() + " cannot be read: " + e);
      return null;
    }
  }

  private static @Nullable String text(Path file, List<String> problems) {
    byte[] bytes = bytes(file, problems);
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  private static JsonNode state(Path file, List<String> problems) {
    String text = text(file, problems);
    JsonNode state = text == null ? null : parse(text);
    if (state == null) {
      problems.add("state.json is " + (text == null ? "missing" : "damaged"));
      return MissingNode.getInstance();
    }
    return state;
  }

  /** The last weights, or those of the newest checkpoint; null without any. */
  private static @Nullable Path weights(Path directory) {
    Path last = directory.resolve(CheckpointStore.WEIGHTS);
    if (Files.isRegularFile(last)) {
      return last;
    }
    Path checkpoints = directory.resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return null;
    }
    try (Stream<Path> all = Files.list(checkpoints)) {
      return all.filter(p -> p.getFileName().toString().matches("step-\\d{1,18}"))
          .sorted(
              Comparator.comparingLong(
                  (Path p) -> -Long.parseLong(p.getFileName().toString().substring(5))))
          .map(p -> p.resolve(CheckpointStore.WEIGHTS))
          .filter(Files::isRegularFile)
          .findFirst()
          .orElse(null);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, String> metadata(Path weights, List<String> problems) {
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      return new TreeMap<>(file.metadata());
    } catch (WeightsException e) {
      problems.add(String.valueOf(e.getMessage()));
      return Map.of();
    }
  }
}
