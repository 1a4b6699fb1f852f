package org.maskedkd.data;

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
    int[] indices) {

  /** Bytes of one image. */
  public int imageBytes() {
    return 3 * size * size;
  }
}
