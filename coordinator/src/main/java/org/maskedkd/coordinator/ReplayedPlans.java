package org.maskedkd.coordinator;

/**
 * The plans of steps that were under way, or done but in no checkpoint, when something was lost:
 * they are given once more as they were recorded, so that they give the same bits. What follows
 * them is planned anew, in the schedule of the last one.
 */
final class ReplayedPlans implements PlanSource {

  private final RecordedPlans recorded;
  private final Planner planner;

  ReplayedPlans(RecordedPlans recorded, Planner planner) {
    this.recorded = recorded;
    this.planner = planner;
  }

  @Override
  public PlannedStep plan(long step, int attempt, int stale, boolean goesOn) {
    if (!recorded.has(step)) {
      return planner.plan(step, attempt, stale, goesOn);
    }
    PlannedStep plan = recorded.plan(step, attempt, stale, goesOn);
    planner.use(plan.schedule());
    return plan;
  }
}
