package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.cli.Main;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.LogFormat;
import picocli.CommandLine;
import picocli.CommandLine.ParseResult;

/** The program takes what the chart gives it. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class ProgramTest {
  @TempDir private Path scratch;

  static List<Path> presets() {
    return Chart.presets();
  }

  private List<JsonNode> documents(Path preset) throws IOException {
    return Manifests.parse(Chart.renderWithHooks(preset, scratch));
  }

  private static String[] arguments(JsonNode container) {
    List<String> arguments = new ArrayList<>();
    container.path("args").forEach(argument -> arguments.add(argument.asText()));
    return arguments.toArray(String[]::new);
  }

  private static ParseResult parse(JsonNode container) {
    CommandLine.ParseResult result = Main.commandLine().parseArgs(arguments(container));
    return result.subcommand();
  }

  private static JsonNode container(List<JsonNode> documents, String name) {
    return Manifests.podTemplates(documents).stream()
        .flatMap(template -> Manifests.containers(template).stream())
        .filter(container -> container.path("name").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("presets")
  void arguments_everyContainer_areOptionsOfItsCommand(Path preset) throws IOException {
    for (JsonNode template : Manifests.podTemplates(documents(preset))) {
      for (JsonNode container : Manifests.containers(template)) {
        ParseResult command = parse(container);
        assertThat(command.unmatched()).isEmpty();
        assertThat(command.commandSpec().name()).isEqualTo(container.at("/args/0").asText());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void configuration_ofEveryRun_isAcceptedWithItsOverrides(Path preset) throws IOException {
    List<JsonNode> documents = documents(preset);
    if (Manifests.ofKind(documents, "ConfigMap").isEmpty()) {
      assertThat(preset).isEqualTo(Chart.preset("shared-teachers"));
      return;
    }
    Path file = scratch.resolve("run.yaml");
    Files.writeString(
        file, Manifests.ofKind(documents, "ConfigMap").get(0).at("/data/run.yaml").asText());
    ParseResult command = parse(container(documents, "coordinator"));
    List<String> overrides = new ArrayList<>(command.matchedPositionalValue(0, List.<String>of()));
    List<String> teachers = command.matchedOptionValue("--teacher", List.of());
    overrides.add("name='" + command.matchedOptionValue("--name", "") + "'");
    overrides.add("student.address='" + command.matchedOptionValue("--student", "") + "'");
    overrides.add("teacher.addresses=['" + String.join("','", teachers) + "']");
    if (teachers.isEmpty()) {
      overrides.remove(overrides.size() - 1);
    }

    RunConfig config = ConfigLoader.load(file, overrides);

    assertThat(config.distils()).isEqualTo(!teachers.isEmpty());
    assertThat(config.runsDir()).isEqualTo("runs");
    if (config.distils()) {
      assertThat(config.teacher().retrySeconds()).isEqualTo(900);
    }
  }

  @Test
  void configuration_largeAndSmallNumbersOfAMap_areStillNumbers() throws IOException {
    List<JsonNode> documents = documents(Chart.preset("teachers-tls"));
    assertThat(Manifests.ofKind(documents, "ConfigMap").get(0).at("/data/run.yaml").asText())
        .contains("seed: 1000000");
  }

  @Test
  void teachers_ofARun_areWhatTheConfigurationSays() throws IOException {
    JsonNode teacher = container(documents(Chart.preset("teachers-tls")), "teacher");

    assertThat(arguments(teacher))
        .contains(
            "--model=deit_base_patch16_224",
            "--weights=weights/deit_base_patch16_224.safetensors",
            "--precision=bf16",
            "--mean=0.5,0.5,0.5",
            "--idle-seconds=1800",
            "--tls-ca=/etc/maskedkd/tls/ca.crt")
        .doesNotContain("--insecure");
  }

  @Test
  void coordinator_ofARunsTeachers_endsThemAndAsksForThemByTheNameOfTheirCertificate()
      throws IOException {
    List<JsonNode> documents = documents(Chart.preset("teachers-tls"));
    JsonNode certificate =
        Manifests.ofKind(documents, "Certificate").stream()
            .filter(c -> c.at("/metadata/name").asText().endsWith("-teacher"))
            .findFirst()
            .orElseThrow();

    assertThat(arguments(container(documents, "coordinator")))
        .contains("--end-teachers")
        .contains("--teacher=dns:" + certificate.at("/spec/dnsNames/0").asText() + ":9091");
    assertThat(certificate.at("/spec/privateKey/encoding").asText()).isEqualTo("PKCS8");
  }

  @Test
  void coordinator_ofTeachersThatOthersShare_leavesThem() throws IOException {
    assertThat(
            arguments(container(documents(Chart.preset("run-on-shared-teachers")), "coordinator")))
        .contains("--teacher=dns:shared-maskedkd-teacher.training.svc:9091")
        .doesNotContain("--end-teachers");
  }

  @Test
  void processes_ofARun_logInTheFormatOfTheValues() throws IOException {
    List<JsonNode> documents = documents(Chart.preset("cpu-kind"));

    assertThat(List.of("coordinator", "student", "teacher"))
        .allSatisfy(
            name ->
                assertThat(
                        parse(container(documents, name))
                            .matchedOptionValue("--log-format", LogFormat.TEXT))
                    .isEqualTo(LogFormat.JSON));
  }

  @Test
  void stops_ofEveryProcess_fitIntoTheGraceOfItsPod() throws IOException {
    List<JsonNode> documents = documents(Chart.preset("cpu-kind"));
    int coordinator =
        parse(container(documents, "coordinator")).matchedOptionValue("--grace-seconds", 0);
    int student = parse(container(documents, "student")).matchedOptionValue("--grace-seconds", 0);
    int teacher = parse(container(documents, "teacher")).matchedOptionValue("--drain-seconds", 0);

    assertThat(coordinator + student).isLessThan(180);
    assertThat(teacher).isLessThan(60);
  }
}
