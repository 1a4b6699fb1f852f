package org.maskedkd.data;

import java.util.SplittableRandom;

/**
 * Random draws named by what they are for: the same key gives the same draws on every machine.
 *
 * <p>Only the generator's 64 bits are taken from the Java runtime; what is made of them stands
 * here, because the runtime may change its distributions from one version to the next.
 */
final class Draws {
  /**
   * What a stream of draws is for. Streams of one seed do not depend on each other. New ones come
   * last: a place in this list decides what is drawn.
   */
  enum Stream {
    ORDER,
    CROP,
    FLIP,
    ERASE,
    MIX,
    SUBSET,
    PICTURE,
    RAND_AUGMENT,
    COLOR_JITTER
  }

  private final SplittableRandom random;

  private Draws(long seed) {
    this.random = new SplittableRandom(seed);
  }

  static Draws of(long seed, Stream stream, long... key) {
    long state = scramble(seed + 0x9E3779B97F4A7C15L * (stream.ordinal() + 1));
    for (long part : key) {
      state = scramble(state ^ scramble(part + 0x9E3779B97F4A7C15L));
    }
    return new Draws(state);
  }

  /**
   * The finalizer of MurmurHash3, variant 13: every bit of the input moves half of those of the
   * output.
   */
  private static long scramble(long value) {
    long z = value;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  long bits() {
    return random.nextLong();
  }

  /** In [0, 1). */
  double uniform() {
    return (bits() >>> 11) * 0x1p-53;
  }

  double uniform(double from, double to) {
    return from + (to - from) * uniform();
  }

  /** In [0, bound). */
  int below(int bound) {
    // The high half of a product: as even as 53 bits allow, and without a loop.
    return (int) ((bits() >>> 33) * bound >>> 31);
  }

  boolean chance(double probability) {
    return uniform() < probability;
  }

  /** Standard normal, by Box and Muller. */
  double gaussian() {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - uniform()));
    return radius * StrictMath.cos(2 * Math.PI * uniform());
  }

  /** Beta(alpha, alpha) as the share of one of two gamma draws. */
  double beta(double alpha) {
    double a = gamma(alpha);
    double b = gamma(alpha);
    return a + b == 0 ? (chance(0.5) ? 1 : 0) : a / (a + b);
  }

  /** Marsaglia and Tsang's method; below 1 by way of alpha + 1. */
  private double gamma(double alpha) {
    if (alpha < 1) {
      return gamma(alpha + 1) * StrictMath.pow(1 - uniform(), 1 / alpha);
    }
    double d = alpha - 1.0 / 3;
    double c = 1 / StrictMath.sqrt(9 * d);
    while (true) {
      double x = gaussian();
      double root = 1 + c * x;
      double v = root * root * root;
      if (v > 0 && StrictMath.log(1 - uniform()) < x * x / 2 + d - d * v + d * StrictMath.log(v)) {
        return d * v;
      }
    }
  }

  /** Fisher and Yates, in place. */
  void shuffle(int[] values) {
    shuffle(values, 0, values.length);
  }

  /** Likewise those {@code from} a place to before another. */
  void shuffle(int[] values, int from, int to) {
    for (int i = to - 1; i > from; i--) {
      int j = from + below(i - from + 1);
      int swapped = values[i];
      values[i] = values[j];
      values[j] = swapped;
    }
  }
}
