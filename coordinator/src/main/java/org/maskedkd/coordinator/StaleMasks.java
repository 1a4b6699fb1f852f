package org.maskedkd.coordinator;

import java.util.Locale;

/** How many masks of a run were stale, and how far the weights of their own step agreed. */
final class StaleMasks {

  private double images;
  private double stale;
  private double agreement;

  void add(StepLine line) {
    images += line.images();
    if (line.staleMaskFraction() != null && line.maskAgreement() != null) {
      double samples = line.staleMaskFraction() * line.images();
      stale += samples;
      agreement += line.maskAgreement() * samples;
    }
  }

  boolean any() {
    return stale > 0;
  }

  /** One line for a person; there must have been some. */
  String describe() {
    return String.format(
        Locale.ROOT,
        "stale masks: %s of the images; of the patches kept for them %s are those that fresh masks"
            + " keep",
        Progress.percent(stale / images),
        Progress.percent(agreement / stale));
  }
}
