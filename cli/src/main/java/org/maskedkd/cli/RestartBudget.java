package org.maskedkd.cli;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * How often a process may be started again. Each start uses one up and time gives it back, so that
 * a process which dies now and then is started for ever, and one that cannot live is given up.
 */
final class RestartBudget {
  private static final int MOST = 10;
  private static final Duration RENEWAL = Duration.ofSeconds(30);

  private final int most;
  private final long renewalNanos;
  private final LongSupplier nanoTime;
  private int left;
  private long countedFrom;

  /**
   * @param most starts in a row
   * @param renewal after which one more is allowed, up to {@code most}
   */
  RestartBudget(int most, Duration renewal, LongSupplier nanoTime) {
    this.most = most;
    this.renewalNanos = renewal.toNanos();
    this.nanoTime = nanoTime;
    this.left = most;
    this.countedFrom = nanoTime.getAsLong();
  }

  /** What suits a process that nobody means to end. */
  static RestartBudget standard() {
    return more(0);
  }

  /** The same with room for so many deaths that are meant. */
  static RestartBudget more(int meant) {
    return new RestartBudget(MOST + meant, RENEWAL, System::nanoTime);
  }

  /** Uses one up; false when there is none. */
  boolean take() {
    long renewed = (nanoTime.getAsLong() - countedFrom) / renewalNanos;
    countedFrom += renewed * renewalNanos;
    left = (int) Math.min(most, left + renewed);
    if (left == 0) {
      return false;
    }
    left--;
    return true;
  }
}
