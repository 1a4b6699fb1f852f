package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MetricsTest {
  private static final Pattern HELP = Pattern.compile("# HELP (maskedkd_\\S+) (.+)");
  private static final Pattern TYPE = Pattern.compile("# TYPE (maskedkd_\\S+) (\\S+)");

  private static String[] anyLabels(Metric metric) {
    return metric.labels().stream()
        .map(label -> label.values().isEmpty() ? "x" : label.values().get(0))
        .toArray(String[]::new);
  }

  private static String scrape(Role role, boolean everything) {
    try (Metrics metrics = new Metrics(role)) {
      for (Metric metric : everything ? Metric.values() : new Metric[0]) {
        if (metric.roles().contains(role)) {
          switch (metric.kind()) {
            case COUNTER -> metrics.add(metric, 2, anyLabels(metric));
            case GAUGE -> metrics.set(metric, 3, anyLabels(metric));
            case HISTOGRAM -> metrics.record(metric, Duration.ofMillis(700));
          }
        }
      }
      return metrics.registry().scrape();
    }
  }

  private static List<String> found(String scrape, Pattern pattern) {
    return scrape
        .lines()
        .map(pattern::matcher)
        .filter(java.util.regex.Matcher::matches)
        .map(m -> m.group(1) + " " + m.group(2))
        .toList();
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void scrape_everyMetricOfARole_hasItsNameTypeAndHelp(Role role) {
    TreeSet<String> types = new TreeSet<>();
    TreeSet<String> helps = new TreeSet<>();
    for (Metric metric : Metric.values()) {
      if (metric.roles().contains(role)) {
        types.add(metric.text() + " " + metric.kind().name().toLowerCase(Locale.ROOT));
        helps.add(metric.text() + " " + metric.help());
        if (metric.kind() == Metric.Kind.HISTOGRAM) {
          types.add(metric.text() + "_max gauge");
          helps.add(metric.text() + "_max " + metric.help());
        }
      }
    }
    String scrape = scrape(role, /* everything= */ true);
    assertThat(found(scrape, TYPE)).containsExactlyInAnyOrderElementsOf(types);
    assertThat(found(scrape, HELP)).containsExactlyInAnyOrderElementsOf(helps);
  }

  @Test
  void scrape_histogram_hasTheStatedBuckets() {
    String scrape = scrape(Role.COORDINATOR, /* everything= */ true);
    assertThat(scrape)
        .contains("maskedkd_step_seconds_bucket{role=\"coordinator\",le=\"0.5\"} 0\n")
        .contains("maskedkd_step_seconds_bucket{role=\"coordinator\",le=\"1.0\"} 1\n")
        .contains("maskedkd_step_seconds_sum{role=\"coordinator\"} 0.7\n");
    assertThat(scrape.lines().filter(l -> l.startsWith("maskedkd_step_seconds_bucket")))
        .hasSize(15);
  }

  @Test
  void scrape_nothingHappenedYet_hasCountersAtZero() {
    String scrape = scrape(Role.COORDINATOR, /* everything= */ false);
    assertThat(scrape)
        .contains("maskedkd_microbatch_retries_total{reason=\"lost\",role=\"coordinator\"} 0.0\n")
        .contains("maskedkd_microbatch_retries_total{reason=\"late\",role=\"coordinator\"} 0.0\n")
        .contains("maskedkd_nonfinite_total{role=\"coordinator\"} 0.0\n")
        .doesNotContain("maskedkd_loss")
        .doesNotContain("maskedkd_teacher_");
  }

  @Test
  void scrape_ofAnyProcess_hasItsMemoryAndItsJvms() {
    assertThat(scrape(Role.STUDENT, /* everything= */ false))
        .containsPattern("process_resident_memory_bytes\\{role=\"student\"} \\d")
        .contains("process_start_time_seconds")
        .contains("process_open_fds")
        .contains("jvm_memory_used_bytes{")
        .contains("process_cpu_seconds_total{")
        .contains("maskedkd_build_info{role=\"student\",version=\"" + Release.version() + "\"} 1");
  }

  @Test
  void names_ofAll_followTheRulesOfPrometheus() {
    assertThat(Arrays.stream(Metric.values()).map(Metric::text))
        .doesNotHaveDuplicates()
        .allMatch(name -> name.matches("maskedkd(_[a-z0-9]+)+"));
    for (Metric metric : Metric.values()) {
      assertThat(metric.text().endsWith("_total"))
          .as(metric.text())
          .isEqualTo(metric.kind() == Metric.Kind.COUNTER);
      assertThat(metric.help()).doesNotEndWith(".");
      assertThat(metric.labels()).hasSizeLessThanOrEqualTo(2);
    }
  }

  @Test
  void remove_gaugeThatWasSet_isNoLongerShownUntilItIsSetAgain() {
    try (Metrics metrics = new Metrics(Role.COORDINATOR)) {
      metrics.set(Metric.TEACHER_UP, 1, "0");
      metrics.set(Metric.TEACHER_UP, 1, "1");
      metrics.remove(Metric.TEACHER_UP, "0");
      metrics.remove(Metric.TEACHER_UP, "7");
      assertThat(metrics.registry().scrape())
          .contains("maskedkd_teacher_up{role=\"coordinator\",teacher=\"1\"} 1.0")
          .doesNotContain("teacher=\"0\"");
      metrics.set(Metric.TEACHER_UP, 0, "0");
      assertThat(metrics.registry().scrape())
          .contains("maskedkd_teacher_up{role=\"coordinator\",teacher=\"0\"} 0.0");
    }
  }

  @Test
  void set_wrongLabelKindOrRole_isRefused() {
    try (Metrics metrics = new Metrics(Role.COORDINATOR)) {
      assertThatThrownBy(() -> metrics.set(Metric.LOSS, 1, "totl"))
          .hasMessageContainingAll("LOSS has no part 'totl'", "distillation");
      assertThatThrownBy(() -> metrics.set(Metric.LOSS, 1))
          .hasMessageContaining("LOSS has the labels");
      assertThatThrownBy(() -> metrics.add(Metric.LOSS, "total"))
          .hasMessage("LOSS is a GAUGE, not a COUNTER");
      assertThatThrownBy(() -> metrics.set(Metric.HELD_SAMPLES, 1))
          .hasMessage("HELD_SAMPLES is none of a coordinator");
    }
  }
}
