package org.maskedkd.student;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** What computes a training step's parts; on the training thread. */
interface StudentDevice {
  /**
   * Starts the forward of a micro-batch.
   *
   * @param images uint8 {@code [count, channels, height, width]}
   * @param kept places of the patches that the student is given, {@code [count, k]} row-major; null
   *     for all
   * @param drops drop-path scales {@code [2*depth][count]}, null for none
   */
  Activations forward(
      ByteBuffer images,
      int count,
      int @Nullable [] kept,
      float @Nullable [][] drops,
      boolean wantSaliency);

  /**
   * Runs a forward for nothing but its saliency and keeps nothing of it.
   *
   * @param images uint8 {@code [count, channels, height, width]}
   * @param drops drop-path scales {@code [2*depth][count]}, null for none
   * @return {@code [count][patches]} on the student's grid; the same bits as {@link #forward} gives
   *     for all patches
   */
  float[][] saliency(ByteBuffer images, int count, float @Nullable [][] drops);

  /**
   * One optimizer step on what the backwards accumulated.
   *
   * @return the gradient's norm; if it is not finite, the weights were not touched
   */
  double optimize(double learningRate);

  /** Whether all computing is done by the calling thread, whose processor time is then a task's. */
  default boolean onCallingThread() {
    return false;
  }

  /** What is learned beyond what the coordinator computes. */
  Objective objective();

  /** What a forward leaves behind for its backward; closing frees it, also without a backward. */
  interface Activations extends AutoCloseable {
    /** {@code [count][patches]} on the student's grid; empty when it was not asked for. */
    float[][] saliency();

    /**
     * {@code [count, classes]}, row-major; with separate heads the class head's. Waits until the
     * forward is through.
     */
    float[] logits();

    /** The distillation head's; null unless heads are separate. */
    float @Nullable [] distillationLogits();

    /**
     * Goes back over the forward, once, and accumulates the gradients.
     *
     * @return what the comparison of features added to the loss
     */
    FeatureLoss.Sums backward(BackwardSignal signal);

    @Override
    void close();
  }
}
