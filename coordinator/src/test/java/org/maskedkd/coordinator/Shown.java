package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;

/** Reads metrics as a scrape shows them. */
final class Shown {
  private Shown() {}

  /**
   * @param labels values in the order of {@link Metric#labels}; those left out are summed over
   */
  static double value(Metrics metrics, Metric metric, String... labels) {
    return series(metrics.registry().scrape(), metric.text(), metric, List.of(labels))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  /** The sum of a histogram's values. */
  static double sum(Metrics metrics, Metric metric) {
    return series(metrics.registry().scrape(), metric.text() + "_sum", metric, List.of())
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  private static Stream<String> series(
      String scrape, String name, Metric metric, List<String> values) {
    List<String> found =
        scrape
            .lines()
            .filter(line -> line.startsWith(name + "{"))
            .filter(
                line -> {
                  for (int i = 0; i < values.size(); i++) {
                    String label = metric.labels().get(i).name();
                    if (!line.contains(label + "=\"" + values.get(i) + "\"")) {
                      return false;
                    }
                  }
                  return true;
                })
            .toList();
    assertThat(found).as("%s%s in %s", name, values, scrape).isNotEmpty();
    return found.stream();
  }
}
