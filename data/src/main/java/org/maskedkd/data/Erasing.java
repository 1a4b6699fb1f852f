package org.maskedkd.data;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Random erasing with one noise value per sample (timm's {@code pixel} mode). The noise is normal
 * in normalised space; here it is brought back to uint8, rounded and clamped, because the teacher
 * is sent the same uint8 image that the student sees.
 */
final class Erasing {
  private static final int ATTEMPTS = 10;
  private static final double AREA_MIN = 0.02;
  private static final double AREA_MAX = 1.0 / 3;
  private static final double RATIO_MIN = 0.3;

  private static final int BITS = 12;
  private static final int LEVELS = 1 << BITS;

  /** What each of 4096 equally likely draws of noise is in uint8, per channel. */
  private final byte[][] noise = new byte[3][LEVELS];

  Erasing(double[] mean, double[] std) {
    double[] normal = normalQuantiles();
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < LEVELS; i++) {
        double value = Math.floor((mean[c] + std[c] * normal[i]) * 255 + 0.5);
        noise[c][i] = (byte) (int) Math.max(0, Math.min(255, value));
      }
    }
  }

  /** Quantiles (i + 1/2)/4096 of the standard normal, by adding up its density. */
  static double[] normalQuantiles() {
    double[] quantiles = new double[LEVELS];
    double width = 1e-4;
    double below = 0;
    int next = 0;
    for (double x = -6; next < LEVELS; x += width) {
      double mass = width * StrictMath.exp(-x * x / 2) / StrictMath.sqrt(2 * Math.PI);
      while (next < LEVELS && below + mass / 2 >= (next + 0.5) / LEVELS) {
        quantiles[next++] = x;
      }
      below += mass;
    }
    return quantiles;
  }

  /**
   * Erases a rectangle of the {@code [3, size, size]} image that starts at {@code offset}.
   *
   * @return it; null if none was found that fits
   */
  Framing.@Nullable Box erase(byte[] images, int offset, int size, Draws draws) {
    double logMin = StrictMath.log(RATIO_MIN);
    for (int i = 0; i < ATTEMPTS; i++) {
      double area = draws.uniform(AREA_MIN, AREA_MAX) * size * size;
      double ratio = StrictMath.exp(draws.uniform(logMin, -logMin));
      int h = (int) Math.rint(Math.sqrt(area * ratio));
      int w = (int) Math.rint(Math.sqrt(area / ratio));
      if (h < size && w < size) {
        int top = draws.below(size - h + 1);
        int left = draws.below(size - w + 1);
        Framing.Box box = new Framing.Box(top, left, h, w);
        fill(images, offset, size, box, draws);
        return box;
      }
    }
    return null;
  }

  /**
   * Erases the same of the same image at another size, with the same noise: each pixel gets that of
   * the nearest one.
   *
   * @param box what {@link #erase} did to {@code images}
   */
  static void repeat(
      Framing.Box box, byte[] images, int offset, int size, byte[] others, int start, int other) {
    Framing.Box scaled = box.scaled(size, other);
    for (int c = 0; c < 3; c++) {
      for (int y = scaled.top(); y < scaled.top() + scaled.height(); y++) {
        int row = offset + (c * size + nearest(y, other, size, box.top(), box.height())) * size;
        for (int x = scaled.left(); x < scaled.left() + scaled.width(); x++) {
          others[start + (c * other + y) * other + x] =
              images[row + nearest(x, other, size, box.left(), box.width())];
        }
      }
    }
  }

  /** Within the rectangle, though its edges were rounded. */
  private static int nearest(int at, int other, int size, int first, int count) {
    int there = (int) ((at + 0.5) * size / other);
    return Math.max(first, Math.min(first + count - 1, there));
  }

  private void fill(byte[] images, int offset, int size, Framing.Box box, Draws draws) {
    long bits = 0;
    int left = 0;
    for (int c = 0; c < 3; c++) {
      for (int y = box.top(); y < box.top() + box.height(); y++) {
        int row = offset + (c * size + y) * size;
        for (int x = box.left(); x < box.left() + box.width(); x++) {
          if (left == 0) {
            bits = draws.bits();
            left = Long.SIZE / BITS;
          }
          images[row + x] = noise[c][(int) bits & LEVELS - 1];
          bits >>>= BITS;
          left--;
        }
      }
    }
  }

  static void requireStatistics(double[] mean, double[] std) {
    boolean sound = mean.length == 3 && std.length == 3 && Arrays.stream(std).allMatch(s -> s > 0);
    if (!sound) {
      throw new IllegalArgumentException(
          "mean %s and std %s must be three values each, std positive"
              .formatted(Arrays.toString(mean), Arrays.toString(std)));
    }
  }
}
