package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import org.maskedkd.proto.v1.Order;
import org.maskedkd.proto.v1.StepPlan;

/**
 * Says what each step is: sizes, window, order, learning rate. Pure: the same configuration and
 * step give the same plan.
 */
public final class Planner implements PlanSource {

  private final RunConfig config;
  private final long stepsPerEpoch;
  private final List<Integer> sizes;
  private final LearningRates rates;

  /**
   * @param stepsPerEpoch whole batches in the training images, at least 1
   */
  public Planner(RunConfig config, long stepsPerEpoch) {
    this.config = config;
    this.stepsPerEpoch = stepsPerEpoch;
    this.sizes = sizes(config.schedule());
    this.rates = new LearningRates(config.optimizer(), config.schedule().epochs(), stepsPerEpoch);
  }

  /** The sizes of the micro-batches of every step, in order; they add up to the batch. */
  public static List<Integer> sizes(RunConfig.Schedule schedule) {
    MicroBatches micro = schedule.microBatches();
    return micro.sizes().isEmpty() ? uniform(schedule.batch(), micro.count()) : micro.sizes();
  }

  /**
   * {@code count} sizes that add up to {@code batch} and differ by at most one, the larger ones
   * first.
   */
  static List<Integer> uniform(int batch, int count) {
    List<Integer> sizes = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      sizes.add(batch / count + (i < batch % count ? 1 : 0));
    }
    return List.copyOf(sizes);
  }

  static int largest(List<Integer> sizes) {
    return sizes.stream().mapToInt(Integer::intValue).max().orElse(0);
  }

  /** The epoch of a step: epochs from 0 on, steps from 1 on. */
  int epoch(long step) {
    return Math.toIntExact((step - 1) / stepsPerEpoch);
  }

  @Override
  public StepPlan plan(long step, int attempt) {
    return StepPlan.newBuilder()
        .setRun(config.name())
        .setAttempt(attempt)
        .setStep(step)
        .setEpoch(epoch(step))
        .setLearningRate(rates.at(step))
        .addAllMicroBatchSizes(sizes)
        .setWindowSamples(config.schedule().window())
        .setOrder(
            switch (config.schedule().order()) {
              case EAGER -> Order.ORDER_EAGER;
              case FILL_DRAIN -> Order.ORDER_FILL_DRAIN;
            })
        .setKeep(config.distils() ? config.masking().keep() : 0)
        .build();
  }
}
