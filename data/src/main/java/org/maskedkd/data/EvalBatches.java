package org.maskedkd.data;

/**
 * Every image once, in the order of the source, centre-cropped; the last batch is what is left.
 * Targets are one-hot.
 */
public final class EvalBatches extends Batches {
  private final ImageSource source;
  private final int batch;
  private final int size;
  private final int second;
  private static final int SMALL = 128;

  private final double evalCrop;

  /**
   * @param source stays the caller's; {@link Subset#balanced} takes a share of it
   * @param batch images in a batch
   * @param size height and width in pixels of what the model sees
   * @param evalCrop share of the resized image that the crop keeps, in (0, 1]; at 1 an image of the
   *     right size is left as it is
   */
  public EvalBatches(ImageSource source, int batch, int size, double evalCrop) {
    this(source, batch, size, /* second= */ 0, evalCrop);
  }

  /**
   * With each image at a second size, too.
   *
   * @param second its height and width in pixels, for {@link Batch#second}; 0 for none
   */
  public EvalBatches(ImageSource source, int batch, int size, int second, double evalCrop) {
    if (batch < 1 || size < 1 || !(evalCrop > 0 && evalCrop <= 1)) {
      throw new IllegalArgumentException(
          "a batch of %d images of %d pixels cut to %s cannot be".formatted(batch, size, evalCrop));
    }
    imageBytes(batch, size);
    imageBytes(batch, second);
    this.source = source;
    this.batch = batch;
    this.size = size;
    this.second = second;
    this.evalCrop = evalCrop;
  }

  @Override
  public long steps() {
    return (source.size() + batch - 1L) / batch;
  }

  @Override
  Batch plan(long step) {
    int first = Math.toIntExact((step - 1) * batch);
    int count = Math.min(batch, source.size() - first);
    int classes = source.classes().size();
    int[] indices = new int[count];
    int[] labels = new int[count];
    float[] targets = new float[Math.multiplyExact(count, classes)];
    for (int i = 0; i < count; i++) {
      indices[i] = first + i;
      labels[i] = source.label(first + i);
      targets[i * classes + labels[i]] = 1;
    }
    byte[] images = new byte[imageBytes(count, size)];
    return new Batch(
        step,
        0,
        count,
        size,
        classes,
        images,
        targets,
        labels,
        indices,
        Batch.Second.empty(count, second));
  }

  @Override
  void fill(Batch batch, int position) {
    Image decoded = source.decode(batch.indices()[position]);
    put(Framing.center(decoded, size, evalCrop), batch.images(), position);
    Batch.Second other = batch.second();
    if (other != null) {
      put(Framing.center(decoded, other.size(), evalCrop), other.images(), position);
    }
  }

  private static void put(Image image, byte[] images, int position) {
    int bytes = image.rgb().length;
    System.arraycopy(image.rgb(), 0, images, position * bytes, bytes);
  }

  @Override
  void mix(Batch batch, int position) {
    // Nothing is mixed in evaluation; targets stand since the plan.
  }

  /**
   * The crop for images of {@code size} pixels where nobody chose one: ImageNet's 256 to 224, but
   * nothing is cut from sets of small images, which are framed already.
   */
  public static double defaultCrop(int size) {
    return size < SMALL ? 1 : 0.875;
  }
}
