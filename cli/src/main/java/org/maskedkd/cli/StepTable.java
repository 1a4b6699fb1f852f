package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The lines of {@code metrics.jsonl} as columns of numbers, which take little room. */
final class StepTable {

  /** What is kept of a line, under its key there. */
  enum Column {
    STEP("/step"),
    EPOCH("/epoch"),
    IMAGES("/images"),
    SECONDS("/step_seconds"),
    LOSS("/loss"),
    BASE("/loss_base"),
    DISTILLATION("/loss_distillation"),
    MANIFOLD("/loss_manifold"),
    ATTENTION("/loss_attention"),
    STUDENT_TOP1("/student_top1"),
    TEACHER_TOP1("/teacher_top1"),
    RATE("/images_per_second"),
    STUDENT_BUSY("/student_busy_seconds"),
    TEACHER_BUSY("/teacher_busy_seconds"),
    BUBBLE("/pipeline/bubble"),
    IMBALANCE("/pipeline/imbalance");

    private final String pointer;

    Column(String pointer) {
      this.pointer = pointer;
    }
  }

  private final Map<Column, double[]> columns = new EnumMap<>(Column.class);
  private final Map<String, Map<String, Double>> idleSeconds = new LinkedHashMap<>();
  private final Map<String, Double> knownSeconds = new LinkedHashMap<>();
  private int size;

  StepTable() {
    for (Column column : Column.values()) {
      columns.put(column, new double[64]);
    }
  }

  /** Takes a line. */
  void add(JsonNode line) {
    columns.replaceAll(
        (column, values) -> size < values.length ? values : Arrays.copyOf(values, 2 * size));
    columns.forEach((column, values) -> values[size] = number(line.at(column.pointer)));
    size++;
    line.at("/pipeline/idle_seconds")
        .properties()
        .forEach(
            device -> {
              knownSeconds.merge(device.getKey(), number(line.path("step_seconds")), Double::sum);
              Map<String, Double> causes =
                  idleSeconds.computeIfAbsent(device.getKey(), d -> new LinkedHashMap<>());
              device
                  .getValue()
                  .properties()
                  .forEach(
                      cause ->
                          causes.merge(cause.getKey(), cause.getValue().asDouble(), Double::sum));
            });
  }

  private static double number(JsonNode value) {
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }

  int size() {
    return size;
  }

  /** A column; NaN where a line has no such number. A copy. */
  double[] column(Column column) {
    return Arrays.copyOf(columns.getOrDefault(column, new double[0]), size);
  }

  /** The sum of a column over the lines that have it. */
  double sum(Column column) {
    return Arrays.stream(column(column)).filter(Double::isFinite).sum();
  }

  /** The mean of a column, each step counted by its time; NaN if no line has it. */
  double meanOverTime(Column column) {
    double[] values = column(column);
    double[] seconds = column(Column.SECONDS);
    double sum = 0;
    double time = 0;
    for (int i = 0; i < size; i++) {
      if (Double.isFinite(values[i]) && Double.isFinite(seconds[i])) {
        sum += values[i] * seconds[i];
        time += seconds[i];
      }
    }
    return time > 0 ? sum / time : Double.NaN;
  }

  /** The share of its steps that each device was idle, by cause. */
  Map<String, Map<String, Double>> idleShares() {
    Map<String, Map<String, Double>> shares = new LinkedHashMap<>();
    idleSeconds.forEach(
        (device, causes) -> {
          double known = knownSeconds.getOrDefault(device, 0.0);
          Map<String, Double> own = new LinkedHashMap<>();
          causes.forEach((cause, seconds) -> own.put(cause, known > 0 ? seconds / known : 0));
          shares.put(device, own);
        });
    return shares;
  }
}
