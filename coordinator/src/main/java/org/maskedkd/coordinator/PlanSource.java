package org.maskedkd.coordinator;

/** Where plans come from: made by the {@link Planner} or replayed from a recording. */
interface PlanSource {

  /**
   * The plan of a step.
   *
   * @param step from 1 on
   * @param attempt how often this step was started, from 1 on
   */
  PlannedStep plan(long step, int attempt);
}
