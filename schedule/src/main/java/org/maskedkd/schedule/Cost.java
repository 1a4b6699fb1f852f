package org.maskedkd.schedule;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.maskedkd.schedule.CostFit.Point;

/** Time that a task takes, by the samples of its micro-batch. */
@FunctionalInterface
public interface Cost {

  /** No time at all. */
  Cost NONE = samples -> 0;

  /** The time for a micro-batch of {@code samples}. */
  double of(int samples);

  /**
   * Straight from one measurement to the next, and on from the last two; from the origin to the
   * first. Unlike a line through all of them ({@link CostFit}) it knows where samples become
   * dearer, as they do once a micro-batch no longer fits a cache. It never falls: a larger
   * micro-batch that was measured to be cheaper costs as much.
   *
   * @param points of at least two different numbers of samples; of those of one number the last
   *     counts
   * @throws IllegalArgumentException naming them, if there are fewer
   */
  static Cost through(List<Point> points) {
    TreeMap<Integer, Double> known = new TreeMap<>(Map.of(0, 0.0));
    points.forEach(point -> known.put(point.samples(), point.seconds()));
    if (known.size() < 3) {
      throw new IllegalArgumentException(
          "a cost goes through measurements of two different numbers of samples, found " + points);
    }
    double[] seconds = new double[known.lastKey() + 1];
    double slope = 0;
    for (Map.Entry<Integer, Double> point : known.entrySet()) {
      Integer before = known.lowerKey(point.getKey());
      if (before != null) {
        int from = before;
        slope = Math.max(0, point.getValue() - seconds[from]) / (point.getKey() - from);
        for (int n = from + 1; n <= point.getKey(); n++) {
          seconds[n] = seconds[from] + slope * (n - from);
        }
      }
    }
    int last = seconds.length - 1;
    double beyond = slope;
    return samples ->
        samples <= last ? seconds[samples] : seconds[last] + beyond * (samples - last);
  }

  /** {@code fixed + perSample * samples}. */
  static Cost linear(double fixed, double perSample) {
    return samples -> fixed + perSample * samples;
  }
}
