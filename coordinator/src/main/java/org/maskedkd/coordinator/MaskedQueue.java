package org.maskedkd.coordinator;

import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.Predicate;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * A step's micro-batches on their way to a teacher, in index order, and which of them are answered.
 * The first answer to a key counts; all others are counted. Event loop only.
 */
final class MaskedQueue {

  /** A micro-batch that has brought down so many connections is not tried again. */
  private static final int MOST_TRIES = 5;

  private static final Comparator<MaskedWork> IN_ORDER =
      Comparator.comparingLong((MaskedWork w) -> w.key().getStep())
          .thenComparingInt(w -> w.key().getIndex());

  private final PriorityQueue<MaskedWork> waiting = new PriorityQueue<>(IN_ORDER);
  private final Set<MicroBatchKey> submitted = new HashSet<>();
  private final Set<MicroBatchKey> answered = new HashSet<>();
  private final Set<MicroBatchKey> doubled = new HashSet<>();
  private final Map<MicroBatchKey, Integer> tries = new HashMap<>();
  private final RunMetrics metrics;
  private long redone;
  private long hedged;
  private long duplicates;
  private long stale;

  MaskedQueue(RunMetrics metrics) {
    this.metrics = metrics;
  }

  /** Forgets the micro-batches before {@code step}, but not those of its own that came ahead. */
  void begin(long step) {
    waiting.removeIf(work -> work.key().getStep() < step);
    tries.keySet().removeIf(key -> key.getStep() < step);
    for (Set<MicroBatchKey> keys : List.of(submitted, answered, doubled)) {
      keys.removeIf(key -> key.getStep() < step);
    }
  }

  /** Forgets every micro-batch, of whatever step. */
  void forget() {
    waiting.clear();
    tries.clear();
    submitted.clear();
    answered.clear();
    doubled.clear();
  }

  void submit(MaskedWork work) {
    submitted.add(work.key());
    waiting.add(work);
  }

  boolean isEmpty() {
    return waiting.isEmpty();
  }

  int size() {
    return waiting.size();
  }

  /** Sizes of what waits, in order. */
  int[] samples() {
    return waiting.stream().sorted(IN_ORDER).mapToInt(MaskedWork::samples).toArray();
  }

  /** Takes the first. */
  MaskedWork remove() {
    return waiting.remove();
  }

  private boolean wanted(MicroBatchKey key) {
    return submitted.contains(key) && !answered.contains(key);
  }

  /**
   * Whether a second teacher may have it: it is still wanted, and only one has it. Asked for once.
   */
  boolean mayDouble(MaskedWork work) {
    return wanted(work.key()) && !doubled.contains(work.key());
  }

  /** A second teacher has it. */
  void doubled(MaskedWork work) {
    doubled.add(work.key());
    hedged++;
    metrics.hedged();
  }

  /**
   * Puts back what is still wanted and nobody else works on.
   *
   * @param elsewhere whether another teacher works on it
   * @return how many
   */
  int giveBack(List<MaskedWork> work, Predicate<MicroBatchKey> elsewhere) {
    int count = 0;
    for (MaskedWork lost : work) {
      MicroBatchKey key = lost.key();
      boolean waits = waiting.stream().anyMatch(w -> w.key().equals(key));
      if (wanted(key) && !waits && !elsewhere.test(key)) {
        waiting.add(lost);
        count++;
      }
    }
    redone += count;
    return count;
  }

  /**
   * Counts a connection that broke on this work.
   *
   * @throws RunException when that is no coincidence any more
   */
  void countTries(List<MaskedWork> work, RunException why) {
    for (MaskedWork lost : work) {
      if (!submitted.contains(lost.key())) {
        continue;
      }
      int count = tries.merge(lost.key(), 1, Integer::sum);
      if (count >= MOST_TRIES) {
        throw new RunException(
            ExitCode.INTERNAL,
            Keys.describe(lost.key())
                + " was lost "
                + count
                + " times, the last time: "
                + why.getMessage(),
            why);
      }
    }
  }

  /**
   * An answer has come; its micro-batch waits no longer, if it did.
   *
   * @param elsewhere what a teacher works on that was given up too early, and need not wait
   * @return whether it is the one that counts
   */
  boolean answered(MicroBatchKey key, Predicate<MicroBatchKey> elsewhere) {
    waiting.removeIf(work -> work.key().equals(key) || elsewhere.test(work.key()));
    if (submitted.contains(key) && answered.add(key)) {
      return true;
    }
    unexpected(key);
    return false;
  }

  /** Counts an answer that nobody waits for. */
  void unexpected(MicroBatchKey key) {
    boolean duplicate = answered.contains(key);
    if (duplicate) {
      duplicates++;
    } else {
      stale++;
    }
    metrics.droppedAnswer(duplicate);
  }

  /** Micro-batches that were given out again because their teacher was lost or late. */
  long redone() {
    return redone;
  }

  /** Micro-batches that went to a second teacher before the first one's deadline was over. */
  long hedged() {
    return hedged;
  }

  /** Answers that came when their micro-batch was already answered. */
  long duplicates() {
    return duplicates;
  }

  /** Answers to another run, attempt or step. */
  long stale() {
    return stale;
  }
}
