package org.maskedkd.data;

import org.jspecify.annotations.Nullable;

/**
 * Training batches without end. The batch of a step follows from the seed and the step alone: every
 * epoch is a new permutation of the images (see {@link EpochOrder}), of which the last {@code size
 * mod batch} are left out (with repeats: of which the first ones come several times, and the others
 * not at all); what varies an image is drawn for its place in the epoch; what mixes a batch is
 * drawn for the step.
 *
 * <p>The order is timm's: crop, flip, RandAugment or colour jitter, erasing per image, then mixing
 * on the whole batch. Targets are smoothed before they are mixed.
 */
public final class TrainBatches extends Batches {
  private final ImageSource source;
  private final Augment augment;
  private final Erasing erasing;
  private final @Nullable RandAugment randAugment;
  private final int[] fill;
  private final EpochOrder order;
  private final int batch;
  private final int size;
  private final int second;
  private final long seed;
  private final long stepsPerEpoch;

  private volatile Permutation permutation = new Permutation(-1, new int[0]);

  private record Permutation(int epoch, int[] order) {}

  /**
   * @param source stays the caller's, to be closed after the last batch
   * @param batch images in a batch
   * @param size height and width in pixels of what the model sees
   * @param mean the model's, per channel in [0, 1]; needed for erasing and RandAugment
   * @param std likewise
   * @param shuffleShards of a source of shards, how many have their images shuffled with each
   *     other; 0 for all
   * @throws DataException when there are fewer images than make one batch
   */
  public TrainBatches(
      ImageSource source,
      int batch,
      int size,
      Augment augment,
      double[] mean,
      double[] std,
      int shuffleShards,
      long seed) {
    this(source, batch, size, /* second= */ 0, augment, mean, std, shuffleShards, seed);
  }

  /**
   * With each image at a second size, too.
   *
   * @param second its height and width in pixels, for {@link Batch#second}; 0 for none
   * @throws DataException when there are fewer images than make one batch
   */
  public TrainBatches(
      ImageSource source,
      int batch,
      int size,
      int second,
      Augment augment,
      double[] mean,
      double[] std,
      int shuffleShards,
      long seed) {
    if (batch < 1 || size < 1 || shuffleShards < 0) {
      throw new IllegalArgumentException(
          "a batch of %d images of %d pixels, with %d shards shuffled together, cannot be"
              .formatted(batch, size, shuffleShards));
    }
    if (source.size() < batch) {
      throw new DataException(
          "a batch of %d needs as many training images, but there are %d; choose a smaller batch or a larger train-limit"
              .formatted(batch, source.size()));
    }
    imageBytes(batch, size);
    imageBytes(batch, second);
    Erasing.requireStatistics(mean, std);
    this.source = source;
    this.batch = batch;
    this.size = size;
    this.second = second;
    this.augment = augment;
    this.erasing = new Erasing(mean, std);
    this.randAugment =
        augment.randAugment().isEmpty() ? null : RandAugment.parse(augment.randAugment());
    this.fill = RandAugment.fill(mean);
    this.order = new EpochOrder(source, shuffleShards);
    this.seed = seed;
    this.stepsPerEpoch = source.size() / batch;
  }

  public long stepsPerEpoch() {
    return stepsPerEpoch;
  }

  @Override
  public long steps() {
    return Long.MAX_VALUE;
  }

  @Override
  Batch plan(long step) {
    int epoch = Math.toIntExact((step - 1) / stepsPerEpoch);
    int[] order = order(epoch);
    int[] indices = new int[batch];
    int[] labels = new int[batch];
    for (int i = 0; i < batch; i++) {
      indices[i] = order[(int) (place(step, i) / augment.repeats())];
      labels[i] = source.label(indices[i]);
    }
    int classes = source.classes().size();
    byte[] images = new byte[imageBytes(batch, size)];
    float[] targets = new float[Math.multiplyExact(batch, classes)];
    return new Batch(
        step,
        epoch,
        batch,
        size,
        classes,
        images,
        targets,
        labels,
        indices,
        Batch.Second.empty(batch, second));
  }

  /** Where a sample stands in its epoch. */
  private long place(long step, int position) {
    return (step - 1) % stepsPerEpoch * batch + position;
  }

  @Override
  void fill(Batch batch, int position) {
    long place = place(batch.step(), position);
    Image decoded = source.decode(batch.indices()[position]);
    int offset = position * batch.imageBytes();
    view(decoded, batch.images(), offset, size, batch.epoch(), place);
    Draws erase = draws(Draws.Stream.ERASE, batch.epoch(), place);
    Framing.Box erased =
        erase.chance(augment.erasing()) ? erasing.erase(batch.images(), offset, size, erase) : null;
    Batch.Second other = batch.second();
    if (other != null) {
      int start = position * other.imageBytes();
      view(decoded, other.images(), start, other.size(), batch.epoch(), place);
      if (erased != null) {
        Erasing.repeat(erased, batch.images(), offset, size, other.images(), start, other.size());
      }
    }
  }

  /**
   * Cuts and varies an image; the draws do not depend on the size.
   *
   * @param wanted height and width in pixels
   */
  private void view(Image decoded, byte[] images, int offset, int wanted, int epoch, long place) {
    Image image = frame(decoded, wanted, epoch, place);
    System.arraycopy(image.rgb(), 0, images, offset, image.rgb().length);
    if (draws(Draws.Stream.FLIP, epoch, place).chance(augment.flip())) {
      Framing.flip(images, offset, wanted);
    }
    if (randAugment != null) {
      Draws drawn = draws(Draws.Stream.RAND_AUGMENT, epoch, place);
      randAugment.apply(images, offset, wanted, fill, drawn);
    }
    if (augment.colorJitter() > 0) {
      Draws drawn = draws(Draws.Stream.COLOR_JITTER, epoch, place);
      new ColorJitter(augment.colorJitter()).apply(images, offset, wanted, drawn);
    }
  }

  private Image frame(Image image, int wanted, int epoch, long place) {
    Draws draws = draws(Draws.Stream.CROP, epoch, place);
    return switch (augment.cropping().crop()) {
      case CENTER -> Framing.center(image, wanted, augment.evalCrop());
      case RANDOM_RESIZED -> Framing.randomResized(image, wanted, augment.cropping(), draws);
      case PAD -> Framing.padded(image, size, wanted, augment, draws);
    };
  }

  private Draws draws(Draws.Stream stream, int epoch, long place) {
    return Draws.of(seed, stream, epoch, place);
  }

  @Override
  void mix(Batch batch, int position) {
    Mixing mixing =
        Mixing.draw(augment.mix(), size, Draws.of(seed, Draws.Stream.MIX, batch.step()));
    int partner = batch.count() - 1 - position;
    mixing.apply(batch.images(), position, partner, size);
    Batch.Second other = batch.second();
    if (other != null) {
      mixing.scaled(size, other.size()).apply(other.images(), position, partner, other.size());
    }
    target(mixing, batch, position, partner);
    target(mixing, batch, partner, position);
  }

  private void target(Mixing mixing, Batch batch, int position, int partner) {
    int own = batch.labels()[position];
    int other = batch.labels()[partner];
    mixing.target(batch.targets(), position, batch.classes(), own, other, augment.labelSmoothing());
  }

  /** Kept for one epoch, as steps mostly come in order; anything else only costs time. */
  private int[] order(int epoch) {
    Permutation current = permutation;
    if (current.epoch != epoch) {
      current = new Permutation(epoch, order.draw(Draws.of(seed, Draws.Stream.ORDER, epoch)));
      permutation = current;
    }
    return current.order;
  }
}
