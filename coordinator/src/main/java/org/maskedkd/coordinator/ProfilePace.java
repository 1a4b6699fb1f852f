package org.maskedkd.coordinator;

/**
 * How often the stages may be timed anew while a run trains: what it costs must stay small beside
 * the steps, which may take a hundredth of a profile's time or many times as much.
 */
final class ProfilePace {
  private static final int STEPS_BETWEEN = 200;

  /** Of the time of the steps since the last one. */
  private static final double MOST_SHARE = 0.02;

  private long profiledAt;
  private double cost;
  private double trained;

  /** The stages were timed before this step, which took so long. */
  void profiled(long step, double seconds) {
    profiledAt = step;
    cost = seconds;
    trained = 0;
  }

  /** A step was done. */
  void trained(double seconds) {
    trained += seconds;
  }

  /** Whether another profile before this step costs little enough. */
  boolean affords(long step) {
    return step - profiledAt >= STEPS_BETWEEN && cost <= MOST_SHARE * trained;
  }
}
