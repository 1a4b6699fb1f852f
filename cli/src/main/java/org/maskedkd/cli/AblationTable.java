package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.ConfigLoader;

/** What came of the runs of an {@link AblationPlan}. */
final class AblationTable {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * One run's end.
   *
   * @param top1 share of the evaluation images at the last epoch's end
   * @param best the largest of all epochs
   * @param state {@code done}, or why there is no such end
   */
  record Result(long seed, @Nullable Double top1, @Nullable Double best, String state) {}

  private final Map<String, List<Result>> rows = new LinkedHashMap<>();

  /** Of these runs as they are on the disk now. */
  static AblationTable of(List<AblationPlan.Cell> cells, Map<Path, String> failures)
      throws IOException {
    AblationTable table = new AblationTable();
    for (AblationPlan.Cell cell : cells) {
      table
          .rows
          .computeIfAbsent(cell.row(), row -> new ArrayList<>())
          .add(result(cell, failures.getOrDefault(cell.directory(), "unfinished")));
    }
    return table;
  }

  /** Whether a run of this very configuration has come to its end. */
  static boolean finished(AblationPlan.Cell cell) throws IOException {
    Path config = cell.directory().resolve("config.yaml");
    return Files.exists(config)
        && Files.exists(cell.directory().resolve("student.safetensors"))
        && ConfigLoader.load(config, List.of()).equals(cell.config())
        && lastEpoch(cell) == cell.config().schedule().epochs() - 1;
  }

  private static int lastEpoch(AblationPlan.Cell cell) throws IOException {
    List<JsonNode> epochs = epochs(cell);
    return epochs.isEmpty() ? -1 : epochs.get(epochs.size() - 1).path("epoch").asInt();
  }

  private static List<JsonNode> epochs(AblationPlan.Cell cell) throws IOException {
    Path file = cell.directory().resolve("epochs.jsonl");
    List<JsonNode> epochs = new ArrayList<>();
    if (Files.exists(file)) {
      String text = Files.readString(file);
      // Behind the last line break one may have been cut off.
      for (String line : text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
        epochs.add(JSON.readTree(line));
      }
    }
    return epochs;
  }

  private static Result result(AblationPlan.Cell cell, String otherwise) throws IOException {
    if (!finished(cell)) {
      return new Result(cell.seed(), null, null, otherwise);
    }
    double last = Double.NaN;
    double best = Double.NaN;
    for (JsonNode epoch : epochs(cell)) {
      if (epoch.path("top1").isNumber()) {
        last = epoch.path("top1").asDouble();
        best = Double.isNaN(best) ? last : Math.max(best, last);
      }
    }
    return Double.isNaN(last)
        ? new Result(cell.seed(), null, null, "no evaluation images")
        : new Result(cell.seed(), last, best, "done");
  }

  private static double[] values(List<Result> results, boolean best) {
    return results.stream()
        .map(result -> best ? result.best() : result.top1())
        .filter(value -> value != null)
        .mapToDouble(Double::doubleValue)
        .toArray();
  }

  static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  /** Of a sample: divided by one less than there are; NaN for less than two. */
  static double deviation(double[] values) {
    double mean = mean(values);
    double sum = 0;
    for (double value : values) {
      sum += (value - mean) * (value - mean);
    }
    return values.length < 2 ? Double.NaN : Math.sqrt(sum / (values.length - 1));
  }

  /** Mean and deviation of shares, in percent. */
  static String text(double[] values) {
    if (values.length == 0) {
      return "–";
    }
    String mean = String.format(Locale.ROOT, "%.2f", 100 * mean(values));
    return values.length < 2
        ? mean
        : mean + String.format(Locale.ROOT, " ± %.2f", 100 * deviation(values));
  }

  /** A table that Markdown takes and people read. */
  String toMarkdown() {
    StringBuilder text = new StringBuilder();
    text.append("| row | top-1 % | best top-1 % | seeds |\n|---|---|---|---|\n");
    List<String> missing = new ArrayList<>();
    rows.forEach(
        (row, results) -> {
          double[] last = values(results, /* best= */ false);
          text.append(
              "| %s | %s | %s | %d of %d |\n"
                  .formatted(
                      row,
                      text(last),
                      text(values(results, /* best= */ true)),
                      last.length,
                      results.size()));
          results.stream()
              .filter(result -> result.top1() == null)
              .forEach(
                  result -> missing.add(row + ", seed " + result.seed() + ": " + result.state()));
        });
    text.append(
        "\nMean and standard deviation over the seeds, of the last epoch and of the best.\n");
    if (!missing.isEmpty()) {
      text.append("Not in it:\n");
      missing.forEach(line -> text.append("- ").append(line).append('\n'));
    }
    return text.toString();
  }

  String toJson() {
    ObjectNode root = JSON.createObjectNode();
    ArrayNode all = root.putArray("rows");
    rows.forEach(
        (row, results) -> {
          ObjectNode node = all.addObject().put("row", row);
          double[] last = values(results, /* best= */ false);
          number(node, "top1_mean", last.length == 0 ? Double.NaN : mean(last));
          number(node, "top1_deviation", deviation(last));
          ArrayNode runs = node.putArray("runs");
          for (Result result : results) {
            ObjectNode run =
                runs.addObject().put("seed", result.seed()).put("state", result.state());
            number(run, "top1", result.top1() == null ? Double.NaN : result.top1());
            number(run, "best_top1", result.best() == null ? Double.NaN : result.best());
          }
        });
    return root.toString();
  }

  private static void number(ObjectNode node, String key, double value) {
    if (Double.isFinite(value)) {
      node.put(key, value);
    } else {
      node.putNull(key);
    }
  }

  boolean complete() {
    return rows.values().stream().flatMap(List::stream).allMatch(r -> r.top1() != null);
  }
}
