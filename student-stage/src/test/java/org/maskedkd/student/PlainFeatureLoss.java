package org.maskedkd.student;

import java.util.List;
import java.util.stream.IntStream;

/** The comparison of features once more, in loops and double precision, from the formulas. */
final class PlainFeatureLoss {
  private PlainFeatureLoss() {}

  /**
   * Mean over all pairs of rows of the squared difference of cosines.
   *
   * @param x rows of one model
   * @param y the same rows of the other
   */
  static double relation(List<double[]> x, List<double[]> y) {
    double sum = 0;
    for (int i = 0; i < x.size(); i++) {
      for (int j = 0; j < x.size(); j++) {
        double difference = cosine(x.get(i), x.get(j)) - cosine(y.get(i), y.get(j));
        sum += difference * difference;
      }
    }
    return sum / ((double) x.size() * x.size());
  }

  private static double cosine(double[] a, double[] b) {
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  private static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
  }

  /** KL(y || x) of rows that are scaled to add up to 1. */
  static double divergence(double[] x, double[] y) {
    double sumX = IntStream.range(0, x.length).mapToDouble(i -> x[i]).sum();
    double sumY = IntStream.range(0, y.length).mapToDouble(i -> y[i]).sum();
    return IntStream.range(0, x.length)
        .mapToDouble(i -> y[i] / sumY * Math.log(y[i] / sumY / (x[i] / sumX)))
        .sum();
  }
}
