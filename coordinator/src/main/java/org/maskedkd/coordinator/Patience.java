package org.maskedkd.coordinator;

import java.time.Duration;

/**
 * How long the run waits for what.
 *
 * @param student for the student stage to come up, or back
 * @param teachers while there is no teacher left
 * @param firstRetry before the first new try to reach a peer; it doubles from try to try
 * @param longestRetry what it doubles up to
 * @param firstAnswer for a teacher's first answer, which may include warming up
 * @param laterAnswer for any other; or ten times the longest seen, if that is more
 */
record Patience(
    Duration student,
    Duration teachers,
    Duration firstRetry,
    Duration longestRetry,
    Duration firstAnswer,
    Duration laterAnswer) {

  static Patience standard(RunConfig config) {
    return new Patience(
        Duration.ofSeconds(config.student().retrySeconds()),
        Duration.ofSeconds(config.teacher().retrySeconds()),
        Duration.ofMillis(200),
        Duration.ofSeconds(10),
        Duration.ofMinutes(10),
        Duration.ofMinutes(1));
  }

  /** The pause before try number {@code failures} + 1. */
  Duration backoff(int failures) {
    Duration pause = firstRetry;
    for (int i = 1; i < failures && pause.compareTo(longestRetry) < 0; i++) {
      pause = pause.multipliedBy(2);
    }
    return pause.compareTo(longestRetry) < 0 ? pause : longestRetry;
  }
}
