package org.maskedkd.student;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.proto.v1.StepPlan;

/**
 * What one step has seen of the next: its batch, and which patches the weights of before chose for
 * its first micro-batches. On the training thread.
 */
final class LookAhead {
  /** Where batches come from. */
  interface Batches {
    Batch take(long step) throws InterruptedException;
  }

  private final Batches batches;
  private long batchStep;
  private @Nullable Batch batch;

  /** Of the one step and attempt that was looked ahead at last. */
  private final Map<Integer, int[]> kept = new HashMap<>();

  private long keptStep;
  private int keptAttempt;

  LookAhead(Batches batches) {
    this.batches = batches;
  }

  /** The batch of a step that begins. */
  Batch begin(long step) throws InterruptedException {
    Batch seen = batch;
    batch = null;
    return seen != null && batchStep == step ? seen : batches.take(step);
  }

  /** The batch of the step after {@code step}, which stays here for it. */
  Batch after(long step) throws InterruptedException {
    Batch next = batch;
    if (next == null || batchStep != step + 1) {
      next = batches.take(step + 1);
      batch = next;
      batchStep = step + 1;
    }
    return next;
  }

  /**
   * Remembers what was handed over in the step of {@code plan} for the next one.
   *
   * @param indices {@code [samples, kept]}, ascending in each row
   */
  void handedOver(StepPlan plan, int index, int[] indices) {
    if (keptStep != plan.getStep() + 1 || keptAttempt != plan.getAttempt()) {
      kept.clear();
      keptStep = plan.getStep() + 1;
      keptAttempt = plan.getAttempt();
    }
    kept.put(index, indices);
  }

  /**
   * What was handed over before the step of {@code plan} began.
   *
   * @param length indices that the micro-batch has
   * @throws IllegalArgumentException if that was nothing, or another number of indices
   */
  int[] of(StepPlan plan, int index, int length) {
    int[] indices =
        keptStep == plan.getStep() && keptAttempt == plan.getAttempt() ? kept.get(index) : null;
    if (indices == null || indices.length != length) {
      throw new IllegalArgumentException(
          "step %d, attempt %d: micro-batch %d must have gone to the teachers in the step before, with %d indices, found %s"
              .formatted(
                  plan.getStep(),
                  plan.getAttempt(),
                  index,
                  length,
                  indices == null ? "none" : indices.length));
    }
    return indices;
  }

  /** Other weights are about to be loaded. */
  void forget() {
    kept.clear();
    batch = null;
  }
}
