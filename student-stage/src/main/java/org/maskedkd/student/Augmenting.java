package org.maskedkd.student;

import org.maskedkd.data.Augment;
import org.maskedkd.data.EvalBatches;
import org.maskedkd.proto.v1.Augmentation;

/** How a run's images are varied, as its student understands what the coordinator says. */
public final class Augmenting {
  private Augmenting() {}

  /**
   * The share of the resized image that an evaluation's centre crop keeps.
   *
   * @param size of the model's square in pixels, by which it goes where nobody says it
   */
  static double evalCrop(Augmentation wire, int size) {
    return wire.getEvalCrop() == 0 ? EvalBatches.defaultCrop(size) : wire.getEvalCrop();
  }

  /**
   * What is done to training images.
   *
   * @param size of the model's square in pixels
   * @throws IllegalArgumentException naming what cannot be
   */
  public static Augment of(Augmentation wire, int size) {
    return new Augment(
        new Augment.Cropping(
            switch (wire.getCrop()) {
              case CROP_CENTER -> Augment.Crop.CENTER;
              case CROP_RANDOM_RESIZED -> Augment.Crop.RANDOM_RESIZED;
              case CROP_PAD -> Augment.Crop.PAD;
              case CROP_UNSPECIFIED, UNRECOGNIZED ->
                  throw new IllegalArgumentException(
                      "augmentation.crop must be center, random-resized or pad, found "
                          + wire.getCrop());
            },
            wire.getPadding(),
            wire.getScaleMin(),
            wire.getScaleMax(),
            wire.getRatioMin(),
            wire.getRatioMax()),
        wire.getFlip(),
        wire.getRandAugment(),
        wire.getColorJitter(),
        Math.max(1, wire.getRepeats()),
        new Augment.Mix(
            wire.getMixupAlpha(),
            wire.getCutmixAlpha(),
            wire.getMixProbability(),
            wire.getCutmixShare()),
        wire.getErasing(),
        wire.getLabelSmoothing(),
        evalCrop(wire, size));
  }
}
