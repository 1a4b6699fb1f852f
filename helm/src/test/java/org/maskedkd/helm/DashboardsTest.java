package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.runtime.Metric;

/** The dashboards are what Grafana takes and ask for what the program has. */
class DashboardsTest {
  private static final int COLUMNS = 24;

  static List<Path> files() {
    return Dashboards.files();
  }

  @ParameterizedTest
  @MethodSource("files")
  void dashboard_againstGrafanasSchema_isValid(Path file) throws IOException {
    try (InputStream schema =
        Objects.requireNonNull(
            DashboardsTest.class.getResourceAsStream("grafana-dashboard.schema.json"))) {
      assertThat(
              JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V7)
                  .getSchema(schema)
                  .validate(Dashboards.read(file)))
          .isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void panels_all_haveATitleADescriptionAUnitAndTheChosenSource(Path file) {
    JsonNode dashboard = Dashboards.read(file);
    assertThat(dashboard.has("__inputs")).isFalse();
    assertThat(dashboard.path("editable").asBoolean()).isFalse();
    Set<Integer> ids = new HashSet<>();
    Set<String> titles = new HashSet<>();
    for (JsonNode panel : Dashboards.panels(dashboard)) {
      String title = panel.path("title").asText();
      assertThat(title).isNotBlank();
      assertThat(titles.add(title)).as("one panel '%s'", title).isTrue();
      assertThat(ids.add(panel.path("id").asInt())).as("id of %s", title).isTrue();
      assertThat(panel.path("description").asText()).as(title).endsWith(".");
      assertThat(panel.at("/fieldConfig/defaults/unit").asText()).as(title).isNotBlank();
      assertThat(panel.at("/datasource/uid").asText()).as(title).isEqualTo("${datasource}");
      assertThat(panel.path("targets")).as(title).isNotEmpty();
      Set<String> references = new HashSet<>();
      for (JsonNode target : panel.path("targets")) {
        assertThat(references.add(target.path("refId").asText())).as(title).isTrue();
        assertThat(target.at("/datasource/uid").asText()).as(title).isEqualTo("${datasource}");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void panels_onTheGrid_lieWithinItAndOverNoOther(Path file) {
    Map<List<Integer>, String> cells = new HashMap<>();
    for (JsonNode panel : Dashboards.read(file).path("panels")) {
      JsonNode place = panel.path("gridPos");
      int right = place.path("x").asInt() + place.path("w").asInt();
      assertThat(right).isLessThanOrEqualTo(COLUMNS);
      for (int x = place.path("x").asInt(); x < right; x++) {
        for (int y = 0; y < place.path("h").asInt(); y++) {
          String title = panel.path("title").asText();
          assertThat(cells.put(List.of(x, place.path("y").asInt() + y), title))
              .as("what %s lies over", title)
              .isNull();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void expressions_all_useTheirVariablesAndGrafanasInterval(Path file) {
    JsonNode dashboard = Dashboards.read(file);
    Set<String> variables = new TreeSet<>();
    for (JsonNode variable : dashboard.at("/templating/list")) {
      variables.add(variable.path("name").asText());
      // All would be sent as this, and not as what the variables before it have left over.
      assertThat(variable.has("allValue")).as("%s", variable).isFalse();
    }
    assertThat(variables).contains("datasource", "job", "coordinator");
    for (JsonNode panel : Dashboards.panels(dashboard)) {
      for (String expression : Dashboards.expressions(panel)) {
        assertThat(expression)
            .as("%s", panel.path("title"))
            .doesNotContainPattern("rate\\([^\\[]*\\[\\d");
        for (Query.Series series : Query.series(expression)) {
          if (!series.name().startsWith("DCGM_")) {
            assertThat(series.labels().get("job"))
                .as(series.text())
                .isIn(List.of("$job"), List.of("$teachers"));
          }
        }
        assertThat(Dashboards.sent(expression, "1m")).doesNotContain("$");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void expressions_all_askForSeriesAndLabelsThatThereAre(Path file) {
    for (JsonNode panel : Dashboards.panels(Dashboards.read(file))) {
      for (String expression : Dashboards.expressions(panel)) {
        assertThat(Query.series(expression))
            .isNotEmpty()
            .allSatisfy(
                series -> assertThat(Rules.exists(series.name())).as(series.text()).isTrue());
        assertThat(Rules.unknownLabels(expression)).isEmpty();
      }
    }
  }

  @Test
  void metrics_all_areOnADashboard() {
    List<String> shown =
        Dashboards.files().stream()
            .flatMap(file -> Dashboards.panels(Dashboards.read(file)).stream())
            .flatMap(panel -> Dashboards.expressions(panel).stream())
            .flatMap(expression -> Query.series(expression).stream())
            .map(Query.Series::name)
            .toList();
    // The first is the variable that chooses the run; the others are shown as what they make.
    assertThat(Metric.values())
        .filteredOn(metric -> shown.stream().noneMatch(series -> Rules.isOf(series, metric)))
        .extracting(Metric::text)
        .containsExactlyInAnyOrder(
            "maskedkd_run_info",
            "maskedkd_teacher_images_total",
            "maskedkd_teacher_microbatches_total");
  }
}
