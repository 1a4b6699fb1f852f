package org.maskedkd.data;

import org.jspecify.annotations.Nullable;

/**
 * A batch, ready for a model. The arrays belong to whoever took the batch.
 *
 * @param step counts from 1
 * @param epoch counts from 0
 * @param count images in it
 * @param size height and width in pixels
 * @param classes number of classes
 * @param images uint8 {@code [count, 3, size, size]}
 * @param targets {@code [count, classes]}, each row adding up to 1
 * @param labels {@code [count]}, before any mixing
 * @param indices {@code [count]}, into the image source
 * @param second the same images at another size; null where nobody asked for it
 */
@SuppressWarnings("ArrayRecordComponent") // A carrier of bulk data; nobody compares batches.
public record Batch(
    long step,
    int epoch,
    int count,
    int size,
    int classes,
    byte[] images,
    float[] targets,
    int[] labels,
    int[] indices,
    @Nullable Second second) {

  /**
   * The same images at another size, made from the pixels of the source: with the same crop, flip,
   * colours, erasing and mixing, but for the rounding of their edges to pixels.
   *
   * @param size height and width in pixels
   * @param images uint8 {@code [count, 3, size, size]}
   */
  @SuppressWarnings("ArrayRecordComponent") // As above.
  public record Second(int size, byte[] images) {
    /** Not filled yet; null for a size of 0. */
    static @Nullable Second empty(int count, int size) {
      return size == 0 ? null : new Second(size, new byte[Batches.imageBytes(count, size)]);
    }

    /** Bytes of one image. */
    int imageBytes() {
      return 3 * size * size;
    }
  }

  /** Bytes of one image. */
  public int imageBytes() {
    return 3 * size * size;
  }
}
