package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Values are taken or refused, and those that are taken do what they say. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class ValuesTest {
  private static final String RUN =
      "run: {config: {student: {model: deit_tiny_patch16_224}, teacher: {model: a, weights: b},"
          + " data: {train: t, eval: e}}}\n";

  @TempDir private Path scratch;

  private String render(String values) throws IOException {
    Path file = scratch.resolve("values.yaml");
    Files.writeString(file, values);
    return Chart.render(file, Chart.NEWEST);
  }

  private List<JsonNode> documents(String values) throws IOException {
    return Manifests.parse(render(values));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "teacher: {replica: 3} | additional properties 'replica' not allowed",
        "teachers: {} | additional properties 'teachers' not allowed",
        "teacher: {replicas: 0} | /teacher/replicas",
        "teacher: {mode: shared} | /teacher/mode",
        "workload: {kind: StatefulSet} | /workload/kind",
        "placement: near | /placement",
        "tls: {mode: 'on'} | /tls/mode",
        "image: {digest: abc} | /image/digest",
        "student: {gpu: {resourceName: gpu}} | /student/gpu/resourceName",
        "trainer: {terminationGracePeriodSeconds: 30} | /trainer/terminationGracePeriodSeconds",
        "persistence: {runs: {accessModes: [RWO]}} | /persistence/runs/accessModes",
        "student: {extraEnv: [{value: x}]} | /student/extraEnv",
        "run: {name: 'a b'} | /run/name",
        "metrics: {prometheusRule: {runbookUrl: docs}} | /metrics/prometheusRule/runbookUrl",
      })
  void schema_badValue_isRefusedByItsPath(String value, String message) {
    assertThatThrownBy(() -> render(value)).hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{} | the run has no configuration",
        "run: {config: {seed: 1}, configFile: 'seed: 1'} | both given",
        "run: {configFile: 'a: [b'} | run.configFile is no YAML",
        "run: {config: {runs-dir: x}} | runs-dir of the run's configuration is the chart's",
        "run: {config: {tls: {key: x}}} | tls of the run's configuration is the chart's",
        "run: {config: {student: {address: x}}} | student.address of the run's configuration",
        "run: {config: {teacher: {addresses: [x]}}} | teacher.addresses of the run's configuration",
        "run: {config: {seed: 1}} | teacher.mode is run, which needs teacher.model",
        "{trainer: {enabled: false}, teacher: {mode: serve}} | which needs teacher.serve.model",
        "run: {config: {distillation: {kind: none}}} | set teacher.mode=none",
        "{run: {config: {seed: 1}}, teacher: {mode: external}} | which needs teacher.addresses",
      })
  void render_wrongCombination_isRefusedWithTheWayOut(String values, String message) {
    assertThatThrownBy(() -> render(values)).hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "tls: {mode: existingSecret} | needs tls.existingSecret.",
        "teacher: {mode: none} | but the run's configuration has teacher.model",
        "tls: {mode: certManager} | needs tls.certManager.issuerRef.name",
        "teacher: {autoscaling: {kind: HPA}} | needs teacher.mode serve, found run",
        "metrics: {podMonitor: {enabled: true}, serviceMonitor: {enabled: true}} | expected one",
        "metrics: {prometheusRule: {enabled: true, disabled: [Bubble]}} | Bubble, which is no alert",
        "student: {extraEnv: [{name: A, value: x}, {name: A, value: y}]} | extraEnv has A twice",
      })
  void render_wrongCombinationOfARun_isRefusedWithTheWayOut(String values, String message) {
    assertThatThrownBy(() -> render(RUN + values)).hasMessageContaining(message);
  }

  @Test
  void configFile_text_arrivesAsItIs() throws IOException {
    String text = "# mine\nstudent: {model: x}\nteacher: {model: a, weights: b}\nseed: 12345678\n";
    Path file = scratch.resolve("run.yaml");
    Files.writeString(file, "run:\n  configFile: |\n" + text.indent(4));

    JsonNode map =
        Manifests.ofKind(Manifests.parse(Chart.render(file, Chart.NEWEST)), "ConfigMap").get(0);

    assertThat(map.at("/data/run.yaml").asText()).isEqualTo(text);
  }

  @Test
  void extraEnv_ofANameOfTheChart_takesItsPlace() throws IOException {
    List<JsonNode> documents =
        documents(RUN + "teacher: {extraEnv: [{name: MASKEDKD_JAVA_OPTS, value: -Xmx9g}]}");
    JsonNode job =
        Manifests.ofKind(documents, "Job").stream()
            .filter(j -> j.at("/metadata/name").asText().equals("rel-maskedkd-teacher-r1"))
            .findFirst()
            .orElseThrow();

    assertThat(job.at("/spec/template/spec/containers/0/env").toString())
        .contains("-Xmx9g")
        .doesNotContain("-Xmx1g");
  }

  @Test
  void extraObjects_withTemplates_areRendered() throws IOException {
    assertThat(
            documents(
                RUN
                    + "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{"
                    + " .Release.Name }}-mine'}}]"))
        .extracting(d -> d.at("/metadata/name").asText())
        .contains("rel-mine");
  }

  @Test
  void autoscaling_hpa_leavesTheNumberToIt() throws IOException {
    List<JsonNode> documents =
        documents(
            "trainer: {enabled: false}\nteacher: {mode: serve, serve: {model: a, weights: b},"
                + " autoscaling: {kind: HPA, metricName: busy}}");

    assertThat(Manifests.ofKind(documents, "Deployment").get(0).path("spec").has("replicas"))
        .isFalse();
    JsonNode scaler = Manifests.ofKind(documents, "HorizontalPodAutoscaler").get(0);
    Manifests.requireValid(scaler);
    assertThat(scaler.at("/spec/scaleTargetRef/name").asText()).isEqualTo("rel-maskedkd-teacher");
  }

  @Test
  void persistence_runsDisabled_isAFolderOfThePodAndSaysSo() throws IOException {
    Path file = scratch.resolve("values.yaml");
    Files.writeString(file, RUN + "persistence: {runs: {enabled: false}}");

    assertThat(Manifests.parse(Chart.render(file, Chart.NEWEST)))
        .noneMatch(d -> d.path("kind").asText().equals("PersistentVolumeClaim"));
    assertThat(Chart.notes(file)).contains("WARNING: persistence.runs.enabled is false");
  }
}
