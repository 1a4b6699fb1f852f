package org.maskedkd.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What {@code ablate} runs: rows of a table, each the same configuration with other values of some
 * keys, once for each seed.
 *
 * @param folder of the runs and of the table
 * @param config the configuration that all rows begin with
 * @param rows overrides of each row, under its name, in order
 */
record AblationPlan(Path folder, Path config, List<Long> seeds, Map<String, List<String>> rows) {

  private static final String NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,79}";

  /** The file as it is written. */
  private record Written(
      @Nullable String name,
      @JsonProperty("runs-dir") @Nullable String runsDir,
      @Nullable String config,
      @Nullable List<Long> seeds,
      @Nullable Map<String, Map<String, JsonNode>> rows,
      @Nullable Map<String, List<JsonNode>> grid) {}

  /**
   * One run.
   *
   * @param config as it will be stored in its directory
   * @param overrides that make it of the plan's configuration
   */
  record Cell(String row, long seed, RunConfig config, List<String> overrides) {
    Path directory() {
      return config.directory();
    }
  }

  /**
   * Reads a file; a configuration that it names is looked for beside it.
   *
   * @throws RunException (usage) naming what does not fit
   */
  static AblationPlan read(Path file) {
    Written written;
    try {
      written =
          new ObjectMapper(new YAMLFactory())
              .setPropertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
              .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
              .readValue(Files.readString(file), Written.class);
    } catch (JsonProcessingException e) {
      throw wrong(file, e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw wrong(file, "cannot be read: " + e, e);
    }
    if (written == null || written.config == null) {
      throw wrong(file, "names no config, the file that all rows begin with", null);
    }
    String stem = file.getFileName().toString().replaceFirst("\\.ya?ml$", "");
    String name = written.name == null ? stem : written.name;
    Map<String, List<String>> rows = new LinkedHashMap<>();
    if (written.rows != null) {
      written.rows.forEach((row, keys) -> rows.put(row, overrides(keys == null ? Map.of() : keys)));
    }
    if (written.grid != null) {
      for (Map<String, JsonNode> keys : product(written.grid)) {
        String label = label(keys);
        if (rows.put(label, overrides(keys)) != null) {
          throw wrong(file, "two rows are called '" + label + "'; name them under rows", null);
        }
      }
    }
    if (rows.isEmpty()) {
      throw wrong(file, "has neither rows nor a grid", null);
    }
    for (String each : rows.keySet()) {
      if (!each.matches(NAME)) {
        throw wrong(
            file,
            "row '" + each + "' is no name: expected letters, digits, '.', '_' and '-'",
            null);
      }
    }
    List<Long> seeds = written.seeds == null ? List.of(1L) : written.seeds;
    if (seeds.isEmpty() || seeds.stream().distinct().count() != seeds.size()) {
      throw wrong(file, "seeds are " + seeds + ", expected one or more, each once", null);
    }
    Path runs = Path.of(written.runsDir == null ? "runs" : written.runsDir);
    return new AblationPlan(
        runs.resolve(name).toAbsolutePath().normalize(),
        file.resolveSibling(written.config),
        seeds,
        rows);
  }

  private static RunException wrong(Path file, String what, @Nullable Throwable cause) {
    return new RunException(ExitCode.USAGE, file + ": " + what, cause);
  }

  private static List<String> overrides(Map<String, JsonNode> keys) {
    List<String> overrides = new ArrayList<>();
    keys.forEach((key, value) -> overrides.add(key + "=" + text(value)));
    return overrides;
  }

  private static String text(JsonNode value) {
    return value.isTextual() ? RunCommand.quoted(value.asText()) : value.toString();
  }

  /** Every combination, the last key changing fastest. */
  private static List<Map<String, JsonNode>> product(Map<String, List<JsonNode>> grid) {
    List<Map<String, JsonNode>> all = List.of(Map.of());
    for (Map.Entry<String, List<JsonNode>> axis : grid.entrySet()) {
      List<Map<String, JsonNode>> longer = new ArrayList<>();
      for (Map<String, JsonNode> begun : all) {
        for (JsonNode value : axis.getValue()) {
          Map<String, JsonNode> one = new LinkedHashMap<>(begun);
          one.put(axis.getKey(), value);
          longer.add(one);
        }
      }
      all = longer;
    }
    return all;
  }

  /** Such as {@code keep-0.5_criterion-random}. */
  private static String label(Map<String, JsonNode> keys) {
    List<String> parts = new ArrayList<>();
    keys.forEach(
        (key, value) ->
            parts.add(
                key.substring(key.lastIndexOf('.') + 1)
                    + "-"
                    + (value.isValueNode() ? value.asText() : value.toString())));
    return String.join("_", parts).replaceAll("[^A-Za-z0-9._-]", "-");
  }

  /**
   * All runs, seed by seed, so that a table that is cut short has something of every row.
   *
   * @param more overrides of all rows; they win over the rows' own
   * @throws RunException (usage) when the configuration of one does not hold
   */
  List<Cell> cells(List<String> more) {
    List<Cell> cells = new ArrayList<>();
    for (long seed : seeds) {
      rows.forEach(
          (row, own) -> {
            List<String> overrides = new ArrayList<>(own);
            overrides.addAll(more);
            overrides.add("seed=" + seed);
            overrides.add("name=" + RunCommand.quoted(row + "-seed" + seed));
            overrides.add("runs-dir=" + RunCommand.quoted(folder.toString()));
            try {
              RunConfig loaded = ConfigLoader.load(config, overrides);
              overrides.addAll(RunCommand.absolutePaths(loaded));
              cells.add(new Cell(row, seed, ConfigLoader.load(config, overrides), overrides));
            } catch (RunException e) {
              throw new RunException(e.exitCode(), "row " + row + ": " + e.getMessage(), e);
            }
          });
    }
    return cells;
  }
}
