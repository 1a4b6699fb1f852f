package org.maskedkd.coordinator;

import java.util.List;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;

/** A line of {@code plans.jsonl}; the actions follow from sizes, window and order. */
record PlanLine(
    long step,
    int attempt,
    int epoch,
    double learningRate,
    List<Integer> microBatchSizes,
    int windowSamples,
    String order,
    double keep) {

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
        plan.keep());
  }

  /**
   * @param teachers how many there are now
   * @throws IllegalArgumentException when sizes, window and order make no schedule
   */
  PlannedStep toPlan(int ofAttempt, int teachers) {
    return new PlannedStep(
        step,
        ofAttempt,
        epoch,
        learningRate,
        keep,
        SchedulePlanner.plan(Order.of(order), microBatchSizes, windowSamples, teachers));
  }
}
