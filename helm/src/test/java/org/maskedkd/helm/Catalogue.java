package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.maskedkd.runtime.Metric;

/** The metrics that expressions may name. */
final class Catalogue {
  private Catalogue() {}

  /** The metric that a series of a histogram belongs to; the name itself for any other. */
  static String family(String series) {
    return find(series).map(Metric::text).orElse(series);
  }

  private static Optional<Metric> find(String series) {
    return Arrays.stream(Metric.values())
        .filter(
            metric ->
                metric.text().equals(series)
                    || (metric.kind() == Metric.Kind.HISTOGRAM
                        && series.matches(metric.text() + "_(bucket|count|sum|max)")))
        .findFirst();
  }

  /** Of ours a metric must be in the list, with these labels, and with these values of them. */
  static void requireKnown(PromQl.Selector selector) {
    if (!selector.metric().startsWith("maskedkd_")) {
      return;
    }
    Optional<Metric> metric = find(selector.metric());
    assertThat(metric).as("a metric %s", selector.metric()).isPresent();
    for (Map.Entry<String, String> matcher : selector.matchers().entrySet()) {
      metric.get().labels().stream()
          .filter(label -> label.name().equals(matcher.getKey()) && !label.values().isEmpty())
          .forEach(
              label ->
                  assertThat(label.values())
                      .as(selector.text())
                      .anyMatch(value -> matches(matcher.getValue(), value)));
    }
  }

  private static boolean matches(String matcher, String value) {
    String wanted = matcher.replaceFirst("^(=~|!~|!=|=)", "");
    return matcher.startsWith("=~")
        ? value.matches(wanted)
        : !matcher.startsWith("=") || value.equals(wanted);
  }
}
