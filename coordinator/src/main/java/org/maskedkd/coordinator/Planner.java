package org.maskedkd.coordinator;

import java.util.Collections;
import java.util.List;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;

/** Says what each step is: its schedule, learning rate and keep ratio. */
final class Planner implements PlanSource {

  /** Micro-batches of the steps before {@code micro-batches: auto} has measured anything. */
  private static final int PROVISIONAL = 8;

  private final RunConfig config;
  private final long stepsPerEpoch;
  private final LearningRates rates;
  private Schedule schedule;

  /**
   * @param stepsPerEpoch whole batches in the training images, at least 1
   */
  Planner(RunConfig config, long stepsPerEpoch) {
    this.config = config;
    this.stepsPerEpoch = stepsPerEpoch;
    this.rates = new LearningRates(config.optimizer(), config.schedule().epochs(), stepsPerEpoch);
    this.schedule = schedule(config);
  }

  /** The schedule that a configuration asks for, or with {@code auto} the one to begin with. */
  static Schedule schedule(RunConfig config) {
    RunConfig.Schedule wanted = config.schedule();
    return SchedulePlanner.plan(
        wanted.order(), sizes(wanted), wanted.window(), config.distils() ? 1 : 0);
  }

  /** The sizes of the micro-batches, in order; they add up to the batch. */
  static List<Integer> sizes(RunConfig.Schedule schedule) {
    MicroBatches micro = schedule.microBatches();
    if (!micro.sizes().isEmpty()) {
      return micro.sizes();
    }
    if (!micro.isAuto()) {
      return SchedulePlanner.uniform(schedule.batch(), micro.count());
    }
    int fitting = (schedule.batch() + schedule.window() - 1) / schedule.window();
    return SchedulePlanner.uniform(
        schedule.batch(), Math.min(schedule.batch(), Math.max(PROVISIONAL, fitting)));
  }

  /** The most samples that a micro-batch of this run can have. */
  static int largest(RunConfig.Schedule schedule) {
    return schedule.microBatches().isAuto()
        ? Math.min(schedule.window(), schedule.batch())
        : Collections.max(sizes(schedule));
  }

  /** The schedule of the steps planned from now on, without stale masks. */
  Schedule schedule() {
    return schedule;
  }

  /** Plans with another schedule from now on. */
  void use(Schedule better) {
    schedule = better;
  }

  /** The epoch of a step: epochs from 0 on, steps from 1 on. */
  int epoch(long step) {
    return Math.toIntExact((step - 1) / stepsPerEpoch);
  }

  /** The schedule of a step between others like it. */
  Schedule settled() {
    int stale = config.schedule().staleMasks();
    return stale == 0 ? schedule : SchedulePlanner.withStaleMasks(schedule, stale);
  }

  @Override
  public PlannedStep plan(long step, int attempt, int stale, boolean goesOn) {
    int ahead = goesOn ? config.schedule().staleMasks() : 0;
    return new PlannedStep(
        step,
        attempt,
        epoch(step),
        rates.at(step),
        config.distils() ? config.masking().keepIn(epoch(step), config.schedule().epochs()) : 0,
        stale + ahead == 0
            ? schedule
            : SchedulePlanner.withStaleMasks(schedule, stale, schedule.sizes().subList(0, ahead)));
  }
}
