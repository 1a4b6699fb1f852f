package org.maskedkd.cli;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A curve.
 *
 * @param color number of its colour, from 0 on
 * @param x ascending
 * @param y as many, of finite values
 * @param low lower edge of the band around it; equal to {@code y} where there is none
 * @param high upper edge
 * @param marked whether each point has a mark, as few measured ones do
 */
// The arrays are handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record ChartSeries(
    String name, int color, double[] x, double[] y, double[] low, double[] high, boolean marked) {

  /** A curve without a band; values that are not finite are left out. */
  static ChartSeries of(String name, int color, double[] x, double[] y) {
    int[] finite = IntStream.range(0, y.length).filter(i -> Double.isFinite(y[i])).toArray();
    double[] values = IntStream.of(finite).mapToDouble(i -> y[i]).toArray();
    return new ChartSeries(
        name,
        color,
        IntStream.of(finite).mapToDouble(i -> x[i]).toArray(),
        values,
        values,
        values,
        /* marked= */ false);
  }

  /** The same with a mark at each point. */
  ChartSeries withMarks() {
    return new ChartSeries(name, color, x, y, low, high, /* marked= */ true);
  }

  /** The same with nothing around it. */
  ChartSeries withoutBand() {
    return new ChartSeries(name, color, x, y, y, y, marked);
  }

  /**
   * The same with at most so many points: where there are more, neighbours become their mean, and
   * the band holds the least and the greatest of them.
   */
  ChartSeries thinned(int mostPoints) {
    int count = x.length;
    if (count <= mostPoints) {
      return this;
    }
    double[][] thin = new double[4][mostPoints];
    for (int p = 0; p < mostPoints; p++) {
      int from = (int) ((long) p * count / mostPoints);
      int to = (int) ((long) (p + 1) * count / mostPoints);
      thin[0][p] = Arrays.stream(x, from, to).average().orElseThrow();
      thin[1][p] = Arrays.stream(y, from, to).average().orElseThrow();
      thin[2][p] = Arrays.stream(low, from, to).min().orElseThrow();
      thin[3][p] = Arrays.stream(high, from, to).max().orElseThrow();
    }
    return new ChartSeries(name, color, thin[0], thin[1], thin[2], thin[3], /* marked= */ false);
  }

  boolean isEmpty() {
    return x.length == 0;
  }

  boolean hasBand() {
    return !Arrays.equals(low, high);
  }
}
