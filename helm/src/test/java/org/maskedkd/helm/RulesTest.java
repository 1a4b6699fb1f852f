package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** The rules for Prometheus ask for what there is, and say what they should. */
class RulesTest {
  private static final Path TESTS = Path.of("src/test/rules").toAbsolutePath();

  private static JsonNode unitTests(String file) throws IOException {
    return Manifests.parse(Files.readString(TESTS.resolve(file))).get(0).path("tests");
  }

  private static void promtool(List<String> arguments) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(Stream.concat(Stream.of("promtool"), arguments.stream()).toList())
            .directory(TESTS.toFile())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("promtool %s: %s", arguments, output).isZero();
  }

  @Test
  @EnabledIf(
      value = "org.maskedkd.helm.Programs#hasPrometheus",
      disabledReason = "there is no promtool on the path, of Debian's package prometheus")
  void promtool_rulesAndTheirTests_findsNothingWrong() throws IOException, InterruptedException {
    promtool(
        List.of(
            "check",
            "rules",
            Rules.FOLDER.resolve("recording.yaml").toString(),
            Rules.FOLDER.resolve("alerts.yaml").toString()));
    promtool(List.of("test", "rules", "recording.yaml", "alerts.yaml", "healthy.yaml"));
  }

  @Test
  void unitTests_ofTheRules_haveEveryOneOfThem() throws IOException {
    Set<String> fired =
        unitTests("alerts.yaml")
            .valueStream()
            .flatMap(test -> test.path("alert_rule_test").valueStream())
            .filter(test -> !test.path("exp_alerts").isEmpty())
            .map(test -> test.path("alertname").asText())
            .collect(Collectors.toSet());
    Set<String> computed =
        unitTests("recording.yaml")
            .valueStream()
            .flatMap(test -> test.path("promql_expr_test").valueStream())
            .filter(test -> !test.path("exp_samples").isEmpty())
            .flatMap(test -> Query.series(test.path("expr").asText()).stream())
            .map(Query.Series::name)
            .collect(Collectors.toSet());

    assertThat(fired).isEqualTo(Rules.alerts());
    assertThat(computed).isEqualTo(Rules.recorded());
  }

  @Test
  void expressions_ofEveryRule_askForSeriesAndLabelsThatThereAre() {
    assertThat(Rules.expressions())
        .allSatisfy(
            expression -> {
              assertThat(Query.series(expression))
                  .isNotEmpty()
                  .allSatisfy(
                      series -> assertThat(Rules.exists(series.name())).as("%s", series).isTrue());
              assertThat(Rules.unknownLabels(expression)).isEmpty();
            });
  }

  @Test
  void expressions_ofWhatThereIsNot_areFound() {
    assertThat(Query.series("sum by (x) (rate(a_total{b=~\"c|d\"}[5m])) / on (y) 2 * e:f:g > 1e3"))
        .containsExactly(
            new Query.Series("a_total", Map.of("b", List.of("c", "d")), "a_total{b=~\"c|d\"}"),
            new Query.Series("e:f:g", Map.of(), "e:f:g"));
    assertThat(Rules.exists("maskedkd_step_seconds")).isFalse();
    assertThat(Rules.exists("maskedkd_step_seconds_sum")).isTrue();
    assertThat(Rules.exists("maskedkd_steps_sum")).isFalse();
    assertThat(Rules.unknownLabels("maskedkd_phase{phase=~\"training|waiting\", part=\"x\"}"))
        .containsExactly("maskedkd_phase: phase=waiting", "maskedkd_phase: part=x");
  }

  @Test
  void alerts_all_saySeverityAndWhatAndWhere() {
    for (JsonNode rule : Rules.rules("alerts.yaml")) {
      assertThat(rule.at("/labels/severity").asText()).isIn("critical", "warning", "info");
      assertThat(rule.at("/annotations/summary").asText()).endsWith(".");
      assertThat(rule.at("/annotations/description").asText()).endsWith(".");
      assertThat(rule.at("/annotations/runbook_url").asText())
          .isEqualTo("docs/runbook.md#" + rule.path("alert").asText().toLowerCase(Locale.ROOT));
    }
  }
}
