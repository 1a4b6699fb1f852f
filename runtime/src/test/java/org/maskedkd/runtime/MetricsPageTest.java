package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * The table of {@code docs/metrics.md} is that of {@link Metric}. With {@code -Dmetrics.write=true}
 * it is written anew.
 */
class MetricsPageTest {
  private static final Path PAGE = Path.of("../docs/metrics.md");
  private static final String BEGIN = "<!-- metrics -->\n";
  private static final String END = "<!-- end of metrics -->\n";

  @Test
  void table_ofThePage_isThatOfTheMetrics() throws IOException {
    String page = Files.readString(PAGE);
    int from = page.indexOf(BEGIN) + BEGIN.length();
    int to = page.indexOf(END);
    if (Boolean.getBoolean("metrics.write")) {
      Files.writeString(PAGE, page.substring(0, from) + table() + page.substring(to));
      return;
    }
    assertThat(page.substring(from, to))
        .as("-pl runtime -am test -Dtest=MetricsPageTest -Dmetrics.write=true writes it anew")
        .isEqualTo(table());
  }

  private static String table() {
    return "| metric | type | of | labels | what it is |\n|---|---|---|---|---|\n"
        + Arrays.stream(Metric.values()).map(MetricsPageTest::row).collect(Collectors.joining());
  }

  private static String row(Metric metric) {
    String roles =
        Arrays.stream(Role.values())
            .filter(metric.roles()::contains)
            .map(Role::text)
            .collect(Collectors.joining(", "));
    String labels =
        metric.labels().stream().map(MetricsPageTest::label).collect(Collectors.joining("<br>"));
    return "| `%s` | %s | %s | %s | %s%s |\n"
        .formatted(
            metric.text(),
            metric.kind().name().toLowerCase(Locale.ROOT),
            roles,
            labels,
            metric.help(),
            metric.when().isEmpty() ? "" : " (" + metric.when() + ")");
  }

  private static String label(Metric.Label label) {
    String values =
        label.values().stream().map(value -> "`" + value + "`").collect(Collectors.joining(", "));
    return "`%s`: %s%s"
        .formatted(label.name(), label.meaning(), values.isEmpty() ? "" : " (" + values + ")");
  }
}
