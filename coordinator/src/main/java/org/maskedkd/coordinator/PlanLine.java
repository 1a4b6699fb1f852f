package org.maskedkd.coordinator;

import java.util.List;
import java.util.Locale;
import org.maskedkd.proto.v1.Order;
import org.maskedkd.proto.v1.StepPlan;

/** A line of {@code plans.jsonl}. */
record PlanLine(
    long step,
    int attempt,
    int epoch,
    double learningRate,
    List<Integer> microBatchSizes,
    int windowSamples,
    String order,
    double keep) {

  private static final String PREFIX = "ORDER_";

  static PlanLine of(StepPlan plan) {
    return new PlanLine(
        plan.getStep(),
        plan.getAttempt(),
        plan.getEpoch(),
        plan.getLearningRate(),
        List.copyOf(plan.getMicroBatchSizesList()),
        plan.getWindowSamples(),
        plan.getOrder()
            .name()
            .substring(PREFIX.length())
            .toLowerCase(Locale.ROOT)
            .replace('_', '-'),
        plan.getKeep());
  }

  /**
   * @throws IllegalArgumentException when the order is unknown
   */
  StepPlan toPlan(String run, int ofAttempt) {
    return StepPlan.newBuilder()
        .setRun(run)
        .setAttempt(ofAttempt)
        .setStep(step)
        .setEpoch(epoch)
        .setLearningRate(learningRate)
        .addAllMicroBatchSizes(microBatchSizes)
        .setWindowSamples(windowSamples)
        .setOrder(Order.valueOf(PREFIX + order.toUpperCase(Locale.ROOT).replace('-', '_')))
        .setKeep(keep)
        .build();
  }
}
