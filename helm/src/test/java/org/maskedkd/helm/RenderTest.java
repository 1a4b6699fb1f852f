package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The chart renders, on every version of Kubernetes, to what such a cluster takes. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class RenderTest {
  @TempDir private Path scratch;

  static List<Path> presets() {
    return Chart.presets();
  }

  static Stream<Arguments> presetsAndVersions() {
    return Chart.presets().stream()
        .flatMap(preset -> Chart.KUBERNETES.stream().map(v -> Arguments.of(preset, v)));
  }

  @ParameterizedTest
  @MethodSource("presetsAndVersions")
  void render_presetOnAVersion_fitsTheModels(Path preset, String kubernetes) {
    List<JsonNode> documents = Manifests.parse(Chart.render(preset, kubernetes));

    assertThat(documents).hasSizeGreaterThan(3);
    documents.forEach(Manifests::requireValid);
    assertThat(documents)
        .extracting(d -> d.path("kind").asText() + " " + d.path("metadata").path("name").asText())
        .doesNotHaveDuplicates();
  }

  @Test
  void requireValid_aFieldThatIsUnknownOrMissing_isRefused() {
    JsonNode job =
        Manifests.parse(
                """
                apiVersion: batch/v1
                kind: Job
                metadata: {name: x}
                spec:
                  template: {spec: {containers: [{name: c, imagePulPolicy: Always}]}}
                """)
            .get(0);
    assertThatThrownBy(() -> Manifests.requireValid(job)).hasMessageContaining("imagePulPolicy");
    JsonNode monitor =
        Manifests.parse("{kind: PodMonitor, spec: {selector: {}, podMetricEndpoints: []}}").get(0);
    assertThatThrownBy(() -> Manifests.requireValid(monitor))
        .hasMessageContaining("podMetricEndpoints");
    assertThatThrownBy(() -> Manifests.parse("{kind: Pod, kind: Pod}"))
        .hasMessageContaining("Duplicate");
  }

  @Test
  void render_kubernetesBefore129_isRefused() {
    assertThatThrownBy(() -> Chart.render(Chart.preset("cpu-kind"), "1.28.9"))
        .hasMessageContaining("kubeVersion");
  }

  @ParameterizedTest
  @MethodSource("presets")
  void renderWithHooks_preset_hasAPodThatAsksEveryProcess(Path preset) throws IOException {
    List<JsonNode> documents = Manifests.parse(Chart.renderWithHooks(preset, scratch));
    JsonNode hook = Manifests.ofKind(documents, "Pod").get(0);

    Manifests.requireValid(hook);
    assertThat(hook.path("metadata").path("annotations").path("tested/hook").asText())
        .isEqualTo("test");
    assertThat(hook.at("/spec/containers/0/args").toString()).contains("/readyz");
  }

  @ParameterizedTest
  @MethodSource("presets")
  void notes_preset_namesWhatIsThere(Path preset) {
    String notes = Chart.notes(preset);

    assertThat(notes).doesNotContain("<no value>", "%!");
    if (preset.equals(Chart.preset("shared-teachers"))) {
      assertThat(notes).contains("dns:rel-maskedkd-teacher.ns.svc:9091");
    } else {
      assertThat(notes).contains("logs -f -l app.kubernetes.io/instance=rel");
    }
    assertThat(notes.contains("tls.mode is disabled"))
        .isEqualTo(Chart.render(preset, Chart.NEWEST).contains("--insecure"));
  }

  @Test
  void package_chart_leavesThePresetsOut() {
    new Helm(Chart.FOLDER).packageIt().withDestination(scratch).call();

    assertThat(scratch.resolve("maskedkd-0.1.0.tgz")).isNotEmptyFile();
  }

  @Test
  void lint_chart_hasNothingToSay() {
    LintResult lint = new Helm(Chart.FOLDER).lint().strict().call();

    assertThat(lint.isFailed()).as("%s", lint.getMessages()).isFalse();
  }
}
