package org.maskedkd.coordinator;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.runtime.ClockOffset;

/** What the time of each micro-batch with the teachers went into. Event loop only. */
final class AnswerTimes {

  /**
   * The parts of one micro-batch's time in seconds; all are 0 or more.
   *
   * @param queue until the teacher that answered got it
   * @param waiting until that one began with it: its way there and its turn
   * @param compute the teacher's forward
   * @param back from there until the whole answer was here
   */
  record Times(double queue, double waiting, double compute, double back) {
    double total() {
      return queue + waiting + compute + back;
    }
  }

  private final Map<MicroBatchKey, Long> submitted = new HashMap<>();
  private final Map<Gift, Long> given = new HashMap<>();

  private record Gift(MicroBatchKey key, int teacher) {}

  /** Its patches are all here. */
  void submitted(MicroBatchKey key, long nanos) {
    submitted.put(key, nanos);
  }

  /** The teacher at this place in the pool gets it. */
  void given(MicroBatchKey key, int teacher, long nanos) {
    given.put(new Gift(key, teacher), nanos);
  }

  /** Forgets what is before this step. */
  void begin(long step) {
    submitted.keySet().removeIf(key -> key.getStep() < step);
    given.keySet().removeIf(gift -> gift.key.getStep() < step);
  }

  void forget() {
    submitted.clear();
    given.clear();
  }

  /**
   * The first answer is here.
   *
   * @param span of the forward, on the teacher's clock, which may be off a little
   * @return null if it was not known
   */
  @Nullable Times answered(
      MicroBatchKey key, int teacher, Span span, ClockOffset clock, long nanos) {
    Long came = submitted.remove(key);
    Long left = given.get(new Gift(key, teacher));
    if (came == null || left == null) {
      return null;
    }
    double away = seconds(nanos - left);
    double compute = Math.min(away, seconds(span.getEndNanos() - span.getStartNanos()));
    double back =
        Math.max(0, Math.min(away - compute, (nanos - clock.toLocal(span.getEndNanos())) / 1e9));
    return new Times(seconds(left - came), away - compute - back, compute, back);
  }

  private static double seconds(long nanos) {
    return Math.max(0, nanos) / 1e9;
  }
}
