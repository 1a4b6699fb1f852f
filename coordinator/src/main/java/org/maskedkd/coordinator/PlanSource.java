package org.maskedkd.coordinator;

/** Where plans come from: made by the {@link Planner} or replayed from a recording. */
interface PlanSource {

  /**
   * The plan of a step.
   *
   * @param step from 1 on
   * @param attempt how often this step was started, from 1 on
   * @param stale micro-batches of this step that the one before has looked ahead at, with the sizes
   *     that they have here
   * @param goesOn whether the next step may follow at once, so that this one may look ahead at it
   */
  PlannedStep plan(long step, int attempt, int stale, boolean goesOn);
}
