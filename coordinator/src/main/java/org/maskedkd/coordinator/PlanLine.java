package org.maskedkd.coordinator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;

/**
 * A line of {@code plans.jsonl}; the actions follow from sizes, window and order.
 *
 * @param staleMicroBatches how many of the first micro-batches the step before looked ahead at,
 *     with these sizes; null for none
 */
record PlanLine(
    long step,
    int attempt,
    int epoch,
    double learningRate,
    List<Integer> microBatchSizes,
    int windowSamples,
    String order,
    double keep,
    @Nullable Integer staleMicroBatches) {

  static PlanLine of(PlannedStep plan) {
    Schedule schedule = plan.schedule();
    return new PlanLine(
        plan.step(),
        plan.attempt(),
        plan.epoch(),
        plan.learningRate(),
        schedule.sizes(),
        schedule.window(),
        schedule.order().text(),
        plan.keep(),
        schedule.stale() == 0 ? null : schedule.stale());
  }

  /** The sizes of the micro-batches that the step before is to look ahead at. */
  List<Integer> staleSizes() {
    return staleMicroBatches == null ? List.of() : microBatchSizes.subList(0, staleMicroBatches);
  }

  /**
   * @param teachers how many there are now
   * @param stale how many micro-batches the step before did look ahead at
   * @param ahead sizes of the next step's micro-batches to look ahead at
   * @throws IllegalArgumentException when sizes, window and order make no schedule
   */
  PlannedStep toPlan(int ofAttempt, int teachers, int stale, List<Integer> ahead) {
    Schedule schedule =
        SchedulePlanner.plan(Order.of(order), microBatchSizes, windowSamples, teachers);
    return new PlannedStep(
        step,
        ofAttempt,
        epoch,
        learningRate,
        keep,
        stale == 0 && ahead.isEmpty()
            ? schedule
            : SchedulePlanner.withStaleMasks(schedule, stale, ahead));
  }
}
