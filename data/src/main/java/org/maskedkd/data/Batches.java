package org.maskedkd.data;

/**
 * A sequence of batches, each a pure function of its step. Safe for use by many threads.
 *
 * <p>A batch is made in three stages so that a {@link Prefetcher} can spread it over threads:
 * {@link #plan} decides what is in it, {@link #fill} makes one image, {@link #mix} joins image i
 * with its partner at the other end.
 */
public abstract sealed class Batches permits TrainBatches, EvalBatches {
  Batches() {}

  /** The last step; {@link Long#MAX_VALUE} when they never end. */
  public abstract long steps();

  /** An empty batch that knows its images and labels. */
  abstract Batch plan(long step);

  /** Decodes and cuts the image at {@code position}. */
  abstract void fill(Batch batch, int position);

  /**
   * Writes targets and mixes images {@code position} and {@code count - 1 - position}; once for
   * every pair.
   */
  abstract void mix(Batch batch, int position);

  static int pairs(Batch batch) {
    return (batch.count() + 1) / 2;
  }

  /**
   * Makes a batch on the calling thread.
   *
   * @param step from 1 to {@link #steps()}
   * @throws DataException when an image cannot be decoded
   */
  public final Batch batch(long step) {
    Batch batch = plan(checkStep(step));
    for (int i = 0; i < batch.count(); i++) {
      fill(batch, i);
    }
    for (int i = 0; i < pairs(batch); i++) {
      mix(batch, i);
    }
    return batch;
  }

  final long checkStep(long step) {
    if (step < 1 || step > steps()) {
      throw new IllegalArgumentException("step %d is not in 1..%d".formatted(step, steps()));
    }
    return step;
  }

  /** How many bytes a batch of images takes. */
  static int imageBytes(int count, int size) {
    long bytes = 3L * count * size * size;
    if (bytes > Integer.MAX_VALUE - 16) {
      throw new DataException(
          "%d images of %d x %d take %d bytes, more than the 2 GiB of one batch; choose a smaller batch"
              .formatted(count, size, size, bytes));
    }
    return (int) bytes;
  }
}
