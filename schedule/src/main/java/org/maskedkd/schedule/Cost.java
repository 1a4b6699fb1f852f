package org.maskedkd.schedule;

/** Time that a task takes, by the samples of its micro-batch. */
@FunctionalInterface
public interface Cost {

  /** No time at all. */
  Cost NONE = samples -> 0;

  /** The time for a micro-batch of {@code samples}. */
  double of(int samples);

  /** {@code fixed + perSample * samples}. */
  static Cost linear(double fixed, double perSample) {
    return samples -> fixed + perSample * samples;
  }
}
