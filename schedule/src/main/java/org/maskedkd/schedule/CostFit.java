package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.List;

/**
 * A line through measured times: {@code fixed + perSample * samples}, by least squares of the
 * relative errors, both coefficients from 0 on. With four points or more the one that spoils the
 * line most is left out if without it the rest lies much closer.
 *
 * @param residual root mean square of the relative errors of the points that were kept
 * @param outlier the point that was left out, from 0 on; -1 for none
 */
public record CostFit(double fixed, double perSample, double residual, int outlier) {

  private static final int NONE = -1;

  /** Fewer would always fit well without one of them. */
  private static final int LEAST_FOR_OUTLIER = 4;

  /** By how much a point must have spoiled the line to be left out. */
  private static final double SPOILED = 5;

  /** Deviations that no one would call an outlier, of an exact line as of a noisy one. */
  private static final double HARMLESS = 0.05;

  /**
   * One measurement.
   *
   * @param seconds the median of some repeats
   */
  public record Point(int samples, double seconds) {}

  /**
   * The line through the points.
   *
   * @throws IllegalArgumentException naming them, if there are no two different numbers of samples
   *     or one is not positive
   */
  public static CostFit of(List<Point> points) {
    if (points.stream().mapToInt(Point::samples).distinct().count() < 2) {
      throw new IllegalArgumentException(
          "a fit needs measurements of two different numbers of samples, found " + points);
    }
    for (Point point : points) {
      if (point.samples() < 1 || !(point.seconds() > 0) || Double.isInfinite(point.seconds())) {
        throw new IllegalArgumentException(
            "samples and seconds of a measurement must be above 0, found " + point);
      }
    }
    CostFit all = fit(points, NONE);
    if (points.size() < LEAST_FOR_OUTLIER || all.residual() < HARMLESS) {
      return all;
    }
    CostFit best = all;
    for (int i = 0; i < points.size(); i++) {
      List<Point> others = new ArrayList<>(points);
      others.remove(i);
      if (others.stream().mapToInt(Point::samples).distinct().count() < 2) {
        continue;
      }
      CostFit without = fit(others, i);
      best = without.residual() < best.residual() ? without : best;
    }
    return best.residual() * SPOILED < all.residual() ? best : all;
  }

  private static CostFit fit(List<Point> points, int outlier) {
    double w = 0;
    double wx = 0;
    double wxx = 0;
    double wy = 0;
    double wxy = 0;
    for (Point point : points) {
      double x = point.samples();
      double y = point.seconds();
      double weight = 1 / (y * y);
      w += weight;
      wx += weight * x;
      wxx += weight * x * x;
      wy += weight * y;
      wxy += weight * x * y;
    }
    double perSample = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    double fixed = (wy - perSample * wx) / w;
    if (fixed < 0) {
      fixed = 0;
      perSample = wxy / wxx;
    } else if (perSample < 0) {
      perSample = 0;
      fixed = wy / w;
    }
    double squares = 0;
    for (Point point : points) {
      double error = (fixed + perSample * point.samples()) / point.seconds() - 1;
      squares += error * error;
    }
    return new CostFit(fixed, perSample, Math.sqrt(squares / points.size()), outlier);
  }
}
