package org.maskedkd.coordinator;

import org.maskedkd.proto.v1.StepPlan;

/** Where plans come from: made by the {@link Planner} or replayed from a recording. */
interface PlanSource {

  /**
   * The plan of a step.
   *
   * @param step from 1 on
   * @param attempt how often this step was started, from 1 on
   */
  StepPlan plan(long step, int attempt);
}
