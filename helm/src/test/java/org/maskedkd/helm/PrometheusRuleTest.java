package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The chart installs the files of rules as they are. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class PrometheusRuleTest {
  @TempDir private Path scratch;

  private JsonNode rendered(String options) throws IOException {
    Path file = scratch.resolve("values.yaml");
    Files.writeString(
        file,
        "trainer: {enabled: false}\nteacher: {mode: serve, serve: {model: a, weights: b}}\n"
            + "metrics: {prometheusRule: {enabled: true"
            + options
            + "}}");
    JsonNode rule =
        Manifests.ofKind(Manifests.parse(Chart.render(file, Chart.NEWEST)), "PrometheusRule")
            .get(0);
    Manifests.requireValid(rule);
    return rule;
  }

  private static List<JsonNode> rules(JsonNode prometheusRule) {
    return prometheusRule
        .at("/spec/groups")
        .valueStream()
        .flatMap(group -> group.path("rules").valueStream())
        .toList();
  }

  @Test
  void groups_byDefault_areThoseOfTheFiles() throws IOException {
    assertThat(rendered("").at("/spec/groups").valueStream())
        .containsExactlyElementsOf(
            Stream.concat(
                    Rules.groups("recording.yaml").stream(), Rules.groups("alerts.yaml").stream())
                .toList());
  }

  @Test
  void disabled_names_areLeftOutAndNothingElse() throws IOException {
    List<JsonNode> all = rules(rendered(""));

    assertThat(rules(rendered(", disabled: [MaskedKDBubbleHigh, MaskedKDClockError]")))
        .containsExactlyElementsOf(
            all.stream()
                .filter(r -> !r.path("alert").asText().matches("MaskedKD(BubbleHigh|ClockError)"))
                .toList());
  }

  @Test
  void runbookUrl_given_isWhereEveryAlertPoints() throws IOException {
    assertThat(rules(rendered(", runbookUrl: 'https://example.org/runbook'")))
        .filteredOn(rule -> rule.has("alert"))
        .hasSameSizeAs(Rules.alerts())
        .extracting(rule -> rule.at("/annotations/runbook_url").asText())
        .contains("https://example.org/runbook#maskedkdrunstalled")
        .allMatch(url -> url.startsWith("https://example.org/runbook#maskedkd"));
  }

  @Test
  void labels_given_areThoseOfTheObject() throws IOException {
    assertThat(rendered(", labels: {release: stack}").at("/metadata/labels/release").asText())
        .isEqualTo("stack");
  }
}
