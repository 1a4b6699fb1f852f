package org.maskedkd.data;

/**
 * How training images are varied.
 *
 * @param cropping where the model's square comes from
 * @param flip probability of a horizontal flip
 * @param randAugment timm's notation, such as {@code rand-m9-mstd0.5-inc1}; empty for none
 * @param colorJitter how far brightness, contrast and saturation vary, in [0, 1], with RandAugment
 *     0
 * @param repeats how often an epoch shows each of its images, one after the other
 * @param mix how images of a batch are mixed with each other
 * @param erasing probability that a sample loses a rectangle to noise
 * @param labelSmoothing share of a target spread over all classes
 * @param evalCrop share of the resized image that a centre crop keeps, in (0, 1]
 */
public record Augment(
    Cropping cropping,
    double flip,
    String randAugment,
    double colorJitter,
    int repeats,
    Mix mix,
    double erasing,
    double labelSmoothing,
    double evalCrop) {

  private static final int MOST_PADDING = 4096;
  private static final int MOST_REPEATS = 1000;

  /** Where the model's square comes from. */
  public enum Crop {
    /** The shorter side is resized to size/evalCrop, and the middle is cut out. */
    CENTER,
    /** A random rectangle is resized to the square. */
    RANDOM_RESIZED,
    /**
     * The image, brought to the square if it is not one already, is padded with black and cut at
     * random.
     */
    PAD
  }

  /**
   * A crop and its ranges.
   *
   * @param padding black pixels put around every side before a {@link Crop#PAD} crop
   * @param scaleMin least share of the image's area for a {@link Crop#RANDOM_RESIZED} crop
   * @param scaleMax largest share
   * @param ratioMin least width to height
   * @param ratioMax largest width to height
   */
  public record Cropping(
      Crop crop, int padding, double scaleMin, double scaleMax, double ratioMin, double ratioMax) {

    /** The middle. */
    public static final Cropping CENTER = new Cropping(Crop.CENTER, 0, 1, 1, 1, 1);

    /** 8 to 100 % of the area, 3:4 to 4:3. */
    public static final Cropping INCEPTION =
        new Cropping(Crop.RANDOM_RESIZED, 0, 0.08, 1, 3.0 / 4, 4.0 / 3);

    public Cropping {
      require(padding >= 0 && padding <= MOST_PADDING, "padding", padding, "in [0, 4096]");
      require(scaleMin > 0 && scaleMin <= scaleMax, "scaleMin", scaleMin, "above 0, to scaleMax");
      require(scaleMax <= 1, "scaleMax", scaleMax, "at most 1");
      require(ratioMin > 0 && ratioMin <= ratioMax, "ratioMin", ratioMin, "above 0, to ratioMax");
      require(Double.isFinite(ratioMax), "ratioMax", ratioMax, "finite");
    }
  }

  /**
   * Mixup and cutmix.
   *
   * @param mixupAlpha 0 for no mixup
   * @param cutmixAlpha 0 for no cutmix
   * @param probability that a batch is mixed at all
   * @param cutmixShare probability that a mixed batch is cutmix, when both are on
   */
  public record Mix(double mixupAlpha, double cutmixAlpha, double probability, double cutmixShare) {

    /** Every image for itself. */
    public static final Mix NONE = new Mix(0, 0, 0, 0);

    public Mix {
      require(mixupAlpha >= 0 && mixupAlpha <= 1000, "mixupAlpha", mixupAlpha, "in [0, 1000]");
      require(cutmixAlpha >= 0 && cutmixAlpha <= 1000, "cutmixAlpha", cutmixAlpha, "in [0, 1000]");
      require(isShare(probability), "mixProbability", probability, "in [0, 1]");
      require(isShare(cutmixShare), "cutmixShare", cutmixShare, "in [0, 1]");
    }
  }

  public Augment {
    require(isShare(flip), "flip", flip, "in [0, 1]");
    require(repeats >= 1 && repeats <= MOST_REPEATS, "repeats", repeats, "in [1, 1000]");
    if (!randAugment.isEmpty()) {
      RandAugment.parse(randAugment);
    }
    require(isShare(colorJitter), "colorJitter", colorJitter, "in [0, 1]");
    require(
        colorJitter == 0 || randAugment.isEmpty(),
        "colorJitter",
        colorJitter,
        "0 with RandAugment, which changes colours itself");
    require(isShare(erasing), "erasing", erasing, "in [0, 1]");
    require(isShare(labelSmoothing), "labelSmoothing", labelSmoothing, "in [0, 1]");
    require(evalCrop > 0 && evalCrop <= 1, "evalCrop", evalCrop, "in (0, 1]");
  }

  private static Augment of(Cropping cropping, double flip, double evalCrop) {
    return new Augment(cropping, flip, "", 0, 1, Mix.NONE, 0, 0, evalCrop);
  }

  /** The evaluation's centre crop and nothing else. */
  public static Augment none(double evalCrop) {
    return of(Cropping.CENTER, 0, evalCrop);
  }

  /** Random resized crops and flips. */
  public static Augment cropsAndFlips(double evalCrop) {
    return of(Cropping.INCEPTION, 0.5, evalCrop);
  }

  /** Random shifts by up to {@code padding} pixels and flips, the custom for small images. */
  public static Augment shiftsAndFlips(int padding) {
    return of(new Cropping(Crop.PAD, padding, 1, 1, 1, 1), 0.5, 1);
  }

  /** The same crops and flips with mixing. */
  public Augment withMixing(
      double mixupAlpha, double cutmixAlpha, double mixProbability, double cutmixShare) {
    Mix mixing = new Mix(mixupAlpha, cutmixAlpha, mixProbability, cutmixShare);
    return new Augment(
        cropping,
        flip,
        randAugment,
        colorJitter,
        repeats,
        mixing,
        erasing,
        labelSmoothing,
        evalCrop);
  }

  /** The same with each image shown so often in an epoch. */
  public Augment withRepeats(int times) {
    return new Augment(
        cropping, flip, randAugment, colorJitter, times, mix, erasing, labelSmoothing, evalCrop);
  }

  /** The same with erasing and label smoothing. */
  public Augment withErasing(double probability, double smoothing) {
    return new Augment(
        cropping, flip, randAugment, colorJitter, repeats, mix, probability, smoothing, evalCrop);
  }

  private static boolean isShare(double value) {
    return value >= 0 && value <= 1;
  }

  private static void require(boolean condition, String name, double value, String range) {
    if (!condition) {
      throw new IllegalArgumentException(
          "augmentation: %s is %s, but must be %s".formatted(name, value, range));
    }
  }
}
