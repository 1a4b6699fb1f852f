package org.maskedkd.teacher;

import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;

/** What a process shows. */
final class Shown {
  private Shown() {}

  /** The value of a metric that has no label beside its role. */
  static double of(Metrics metrics, Metric metric) {
    return metrics
        .registry()
        .scrape()
        .lines()
        .filter(line -> line.startsWith(metric.text() + "{"))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
        .reduce(
            (one, other) -> {
              throw new AssertionError(metric + " has more than one series");
            })
        .orElseThrow();
  }
}
