package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How long the run waits for what.
 *
 * @param student for the student stage to come up, or back
 * @param teachers while there is no teacher left
 * @param firstRetry before the first new try to reach a peer; it doubles from try to try
 * @param longestRetry what it doubles up to
 * @param firstAnswer for a teacher's first answer, which may include warming up
 * @param leastDeadline for any other, however fast the teacher is
 * @param deadlineFactor how many times the measured time of so many samples it may take
 * @param hedgeFraction of its deadline, after which an idle teacher gets the micro-batch too; 0 for
 *     never
 * @param resolve between two looks at what addresses a name has
 * @param studentSilence while the student says nothing at all
 */
record Patience(
    Duration student,
    Duration teachers,
    Duration firstRetry,
    Duration longestRetry,
    Duration firstAnswer,
    Duration leastDeadline,
    double deadlineFactor,
    double hedgeFraction,
    Duration resolve,
    Duration studentSilence) {

  static Patience standard(RunConfig config) {
    RunConfig.Teacher teacher = config.teacher();
    return new Patience(
        Duration.ofSeconds(config.student().retrySeconds()),
        Duration.ofSeconds(teacher.retrySeconds()),
        Duration.ofMillis(200),
        Duration.ofSeconds(10),
        seconds(teacher.firstAnswerSeconds()),
        seconds(teacher.leastDeadlineSeconds()),
        teacher.deadlineFactor(),
        teacher.hedgeFraction(),
        seconds(teacher.resolveSeconds()),
        Duration.ofSeconds(config.student().silenceSeconds()));
  }

  private static Duration seconds(double seconds) {
    return Duration.ofNanos(Math.round(seconds * 1e9));
  }

  /**
   * The pause before try number {@code failures} + 1: half of it is certain, the rest chance, so
   * that those who lost the same peer do not come back at the same moment.
   */
  Duration backoff(int failures, RandomGenerator random) {
    Duration pause = firstRetry;
    for (int i = 1; i < failures && pause.compareTo(longestRetry) < 0; i++) {
      pause = pause.multipliedBy(2);
    }
    long most = (pause.compareTo(longestRetry) < 0 ? pause : longestRetry).toNanos();
    return Duration.ofNanos(most / 2 + random.nextLong(most - most / 2 + 1));
  }

  /** The pause before a peer that does not fit is asked again. */
  Duration afterRefusal() {
    return longestRetry.multipliedBy(3);
  }
}
