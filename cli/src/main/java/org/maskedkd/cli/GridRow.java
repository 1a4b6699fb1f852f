package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collection;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The runs of a table that differ in the seed alone.
 *
 * @param number in the table, from 0 on
 * @param runs one for each seed
 */
record GridRow(int number, String name, List<RunFiles> runs) {

  /** The style sheet has so many kinds of lines. */
  private static final int COLORS = 18;

  private static final int MOST_POINTS = 150;

  int color() {
    return number % COLORS;
  }

  /** Top-1 of the finished runs after their last epoch. */
  double[] lastTop1() {
    return finished()
        .mapToDouble(run -> run.lastEvaluation().path("top1").asDouble(Double.NaN))
        .filter(Double::isFinite)
        .toArray();
  }

  /** The best top-1 of each finished run. */
  double[] bestTop1() {
    return finished()
        .flatMapToDouble(
            run ->
                run.epochs().stream()
                    .map(line -> line.path("top1"))
                    .filter(JsonNode::isNumber)
                    .mapToDouble(JsonNode::asDouble)
                    .max()
                    .stream())
        .toArray();
  }

  private Stream<RunFiles> finished() {
    return runs.stream().filter(RunFiles::finished);
  }

  /** Training images per second of steps, of all runs together. */
  double imagesPerSecond() {
    double images = sum(StepTable.Column.IMAGES);
    double seconds = sum(StepTable.Column.SECONDS);
    return seconds > 0 ? images / seconds : Double.NaN;
  }

  private double sum(StepTable.Column column) {
    return runs.stream().mapToDouble(run -> run.steps().sum(column)).sum();
  }

  /** The teacher's work in the first run of which it is known. */
  Optional<TeacherWork> work() {
    return runs.stream().flatMap(run -> TeacherWork.of(run).stream()).findFirst();
  }

  /**
   * A value of the epochs, as mean over the runs and with the least and greatest as a band.
   *
   * @param key in {@code epochs.jsonl}
   */
  ChartSeries curve(String key, double factor) {
    Map<Integer, DoubleSummaryStatistics> epochs = new TreeMap<>();
    for (RunFiles run : runs) {
      for (JsonNode line : run.epochs()) {
        if (line.path(key).isNumber()) {
          epochs
              .computeIfAbsent(line.path("epoch").asInt() + 1, e -> new DoubleSummaryStatistics())
              .accept(factor * line.path(key).asDouble());
        }
      }
    }
    Collection<DoubleSummaryStatistics> values = epochs.values();
    ChartSeries series =
        new ChartSeries(
            name,
            color(),
            epochs.keySet().stream().mapToDouble(Integer::doubleValue).toArray(),
            values.stream().mapToDouble(DoubleSummaryStatistics::getAverage).toArray(),
            values.stream().mapToDouble(DoubleSummaryStatistics::getMin).toArray(),
            values.stream().mapToDouble(DoubleSummaryStatistics::getMax).toArray(),
            /* marked= */ false);
    return series.thinned(MOST_POINTS);
  }
}
