package org.maskedkd.coordinator;

/**
 * How fast a teacher is, from what its answers took: a moving average that weighs by samples, so
 * that small micro-batches with their fixed costs do not pass for the rule. The first answer may
 * include warming up; the second replaces it. Event loop only.
 */
final class TeacherPace {

  /** What of the past remains with each answer. */
  private static final double KEPT = 0.75;

  /**
   * What remains of the estimate after a step without an answer. A teacher that was slow when it
   * was last asked is given nothing, so it could never show that it no longer is.
   */
  private static final double HOPE = 0.98;

  private double seconds;
  private double samples;
  private int answers;
  private boolean used;

  /** A time of 0 or less is no measurement. */
  void answered(double tookSeconds, int ofSamples) {
    used = true;
    if (!(tookSeconds > 0)) {
      return;
    }
    double kept = answers < 2 ? 0 : KEPT;
    answers++;
    seconds = kept * seconds + tookSeconds;
    samples = kept * samples + ofSamples;
  }

  /** To be called between steps. */
  void stepEnded() {
    if (!used) {
      seconds *= HOPE;
    }
    used = false;
  }

  /** NaN as long as it is unknown. */
  double secondsPerSample() {
    return seconds / samples;
  }
}
