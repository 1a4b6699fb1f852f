package org.maskedkd.data;

import java.util.Arrays;

/**
 * Antialiased bicubic resizing (a = -0.5) from its definition: columns first, rounded, then rows.
 */
final class PlainResize {
  private PlainResize() {}

  /** Row-major [to, from]: the share of every source sample in every target sample. */
  static double[] weights(int from, int to) {
    double[] weights = new double[to * from];
    double scale = (double) from / to;
    double widening = Math.max(1, scale);
    for (int i = 0; i < to; i++) {
      double centre = (i + 0.5) * scale;
      int first = Math.max(0, (int) (centre - 2 * widening + 0.5));
      int end = Math.min(from, (int) (centre + 2 * widening + 0.5));
      double sum = 0;
      for (int j = first; j < end; j++) {
        weights[i * from + j] = cubic((j + 0.5 - centre) / widening);
        sum += weights[i * from + j];
      }
      for (int j = 0; j < from; j++) {
        weights[i * from + j] /= sum;
      }
    }
    return weights;
  }

  private static double cubic(double distance) {
    double x = Math.abs(distance);
    double a = -0.5;
    if (x < 1) {
      return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
  }

  static int at(Image image, int channel, int y, int x, double[] rows, double[] columns) {
    double[] column = new double[image.height()];
    Arrays.setAll(
        column,
        j -> {
          double sum = 0;
          for (int i = 0; i < image.width(); i++) {
            sum += columns[x * image.width() + i] * TestImages.value(image, channel, j, i);
          }
          return round(sum);
        });
    double sum = 0;
    for (int j = 0; j < image.height(); j++) {
      sum += rows[y * image.height() + j] * column[j];
    }
    return round(sum);
  }

  private static int round(double value) {
    return (int) Math.max(0, Math.min(255, Math.floor(value + 0.5)));
  }
}
