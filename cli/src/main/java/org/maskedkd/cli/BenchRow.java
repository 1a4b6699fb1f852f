package org.maskedkd.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A row of results, as it is printed with {@code --json}. Seconds are medians over the measured
 * steps; what is not known is null.
 *
 * @param schedule the order, {@code auto}, {@code colocated} or {@code data-parallel-bound}
 * @param sizes of the micro-batches, as they were run
 * @param stepSeconds without {@code dataWaitSeconds}
 * @param dataCpuSeconds of a step, spent in the student's process on the batches to come
 * @param wallSecondsPerStep from the first measured step's end to the last one's, over the steps
 *     between, so that nothing between two steps is missed
 * @param bubble 1 - the busiest device's share of the step
 * @param imbalance what the lesser device was idle beyond that
 * @param predictedStepSeconds simulated with the bare costs and the latencies of the same run
 * @param bareStepSeconds simulated with the processor time of the measured steps' own tasks
 * @param boundSeconds max(F + B, T / teachers) of the bare costs of a whole batch
 * @param efficiency bound over step
 * @param overheads what a straight line through the bare costs says: fixed seconds of a task
 * @param othersShare of the whole machine, used by other processes while this was measured
 * @param valid whether they used little enough
 * @param peakBytes most physical memory by process
 * @param pids by process
 */
@JsonInclude(JsonInclude.Include.ALWAYS)
record BenchRow(
    String schedule,
    int microBatches,
    List<Integer> sizes,
    int batch,
    double keep,
    String precision,
    int teachers,
    int steps,
    double stepSeconds,
    double wallSecondsPerStep,
    double dataWaitSeconds,
    @Nullable Double dataCpuSeconds,
    double imagesPerSecond,
    @Nullable Double bubble,
    @Nullable Double imbalance,
    @Nullable Double studentBusySeconds,
    @Nullable Double teacherBusySeconds,
    @Nullable Double predictedStepSeconds,
    @Nullable Double bareStepSeconds,
    @Nullable Double boundSeconds,
    @Nullable Double efficiency,
    @Nullable Map<String, Double> overheads,
    double othersShare,
    boolean valid,
    Map<String, Long> peakBytes,
    Map<String, Long> pids) {
  private static final ObjectMapper JSON =
      JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

  /** Other processes may use so much of the machine without a row becoming invalid. */
  static final double MOST_OTHERS = 0.05;

  String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a row that cannot be written as JSON: " + this, e);
    }
  }
}
