package org.maskedkd.teacher;

import java.util.concurrent.atomic.AtomicLong;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * How many bytes of micro-batches the teacher holds for all its clients together. A coordinator
 * sends no more than it has credit for; this is for one that does not keep to it. Thread-safe.
 */
final class ByteBudget {
  private final long most;
  private final AtomicLong held = new AtomicLong();

  ByteBudget(long most) {
    this.most = most;
  }

  /**
   * @throws RunException (peer away) when they would be too many; nothing is taken then
   */
  void take(long bytes) {
    long now = held.addAndGet(bytes);
    if (now > most) {
      held.addAndGet(-bytes);
      throw new RunException(
          ExitCode.PEER_AWAY,
          "this teacher holds %d bytes of micro-batches that wait, of at most %d, and cannot take %d more now"
              .formatted(now - bytes, most, bytes));
    }
  }

  void giveBack(long bytes) {
    held.addAndGet(-bytes);
  }

  long held() {
    return held.get();
  }
}
