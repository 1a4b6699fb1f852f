package org.maskedkd.teacher;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * How long a teacher has had no run, and how long it may. A device that nobody uses is to be given
 * back. Thread-safe.
 */
final class Idleness {
  private final Duration limit;
  private final LongSupplier clock;
  private int runs;
  private long since;

  /**
   * Of a teacher that has no run yet.
   *
   * @param limit zero for none
   * @param clock in nanoseconds, as {@link System#nanoTime}
   */
  Idleness(Duration limit, LongSupplier clock) {
    this.limit = limit;
    this.clock = clock;
    this.since = clock.getAsLong();
  }

  /** One more run is here. */
  synchronized void begin() {
    runs++;
  }

  /** One of them has left. */
  synchronized void end() {
    runs--;
    since = clock.getAsLong();
  }

  /** After how long the limit could be over, in nanoseconds; 0 or less once it is. */
  synchronized long nanosLeft() {
    if (limit.isZero()) {
      return Long.MAX_VALUE;
    }
    return runs > 0 ? limit.toNanos() : limit.toNanos() - (clock.getAsLong() - since);
  }

  /**
   * @throws RunException (peer away) once the limit is over
   */
  void requireNotOver() {
    if (nanosLeft() <= 0) {
      throw new RunException(
          ExitCode.PEER_AWAY,
          "no run was here for %d s, which is --idle-seconds: this teacher ends"
              .formatted(limit.toSeconds()));
    }
  }
}
