package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.runtime.ExitCode;

/** What one manifest says of another, or a part of one of another part, is so. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class ConsistencyTest {
  @TempDir private Path scratch;

  static List<Path> presets() {
    return Chart.presets();
  }

  private List<JsonNode> documents(Path preset) throws IOException {
    return Manifests.parse(Chart.renderWithHooks(preset, scratch));
  }

  private static List<String> texts(JsonNode array, String field) {
    List<String> texts = new ArrayList<>();
    array.forEach(node -> texts.add(node.path(field).asText()));
    return texts;
  }

  private static List<String> strings(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(node -> texts.add(node.asText()));
    return texts;
  }

  private static boolean selects(JsonNode selector, JsonNode labels) {
    return !selector.isEmpty()
        && selector.properties().stream()
            .allMatch(wanted -> wanted.getValue().equals(labels.path(wanted.getKey())));
  }

  private static List<JsonNode> selected(JsonNode selector, List<JsonNode> documents) {
    return Manifests.podTemplates(documents).stream()
        .filter(template -> selects(selector, template.at("/metadata/labels")))
        .toList();
  }

  private static List<JsonNode> ports(List<JsonNode> templates) {
    return templates.stream()
        .flatMap(template -> Manifests.containers(template).stream())
        .flatMap(c -> c.path("ports").valueStream())
        .toList();
  }

  @ParameterizedTest
  @MethodSource("presets")
  void probes_everyContainerThatServes_areOfPortsThatItHas(Path preset) throws IOException {
    for (JsonNode template : Manifests.podTemplates(documents(preset))) {
      for (JsonNode container : Manifests.containers(template)) {
        List<String> ports = texts(container.path("ports"), "name");
        for (String probe : List.of("startupProbe", "livenessProbe", "readinessProbe")) {
          assertThat(container.has(probe)).isEqualTo(!ports.isEmpty());
          if (container.has(probe)) {
            assertThat(ports).contains(container.path(probe).at("/httpGet/port").asText());
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void services_selectPodsThatHaveTheirPorts(Path preset) throws IOException {
    List<JsonNode> documents = documents(preset);
    for (JsonNode service : Manifests.ofKind(documents, "Service")) {
      List<JsonNode> templates = selected(service.at("/spec/selector"), documents);
      assertThat(templates).as("pods of %s", service.at("/metadata/name")).hasSize(1);
      for (JsonNode port : service.at("/spec/ports")) {
        assertThat(ports(templates))
            .anySatisfy(
                found -> {
                  assertThat(found.path("containerPort")).isEqualTo(port.path("targetPort"));
                  assertThat(found.path("name")).isEqualTo(port.path("name"));
                });
      }
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void policiesAndBudgets_selectPodsThatThereAre(Path preset) throws IOException {
    List<JsonNode> documents = documents(preset);
    for (JsonNode policy : Manifests.ofKind(documents, "NetworkPolicy")) {
      List<JsonNode> templates = selected(policy.at("/spec/podSelector/matchLabels"), documents);
      assertThat(templates).hasSize(1);
      List<String> allowed =
          policy
              .at("/spec/ingress")
              .valueStream()
              .flatMap(rule -> texts(rule.path("ports"), "port").stream())
              .toList();
      assertThat(allowed)
          .containsExactlyInAnyOrderElementsOf(
              ports(templates).stream().map(p -> p.path("containerPort").asText()).toList());
    }
    for (JsonNode budget : Manifests.ofKind(documents, "PodDisruptionBudget")) {
      assertThat(selected(budget.at("/spec/selector/matchLabels"), documents)).hasSize(1);
      assertThat(budget.at("/spec/minAvailable").isInt()).isTrue();
    }
    for (JsonNode deployment : Manifests.ofKind(documents, "Deployment")) {
      assertThat(
              selects(
                  deployment.at("/spec/selector/matchLabels"),
                  deployment.at("/spec/template/metadata/labels")))
          .isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void monitors_namePortsOfPodsOrServices(Path preset) throws IOException {
    List<JsonNode> documents = documents(preset);
    List<String> ofPods =
        ports(Manifests.podTemplates(documents)).stream()
            .map(p -> p.path("name").asText())
            .toList();
    List<String> ofServices =
        Manifests.ofKind(documents, "Service").stream()
            .flatMap(s -> texts(s.at("/spec/ports"), "name").stream())
            .toList();
    for (JsonNode monitor : Manifests.ofKind(documents, "PodMonitor")) {
      assertThat(ofPods).containsAll(texts(monitor.at("/spec/podMetricsEndpoints"), "port"));
      assertThat(selected(monitor.at("/spec/selector/matchLabels"), documents)).isNotEmpty();
    }
    for (JsonNode monitor : Manifests.ofKind(documents, "ServiceMonitor")) {
      assertThat(ofServices).containsAll(texts(monitor.at("/spec/endpoints"), "port"));
      JsonNode selector = monitor.at("/spec/selector/matchLabels");
      assertThat(Manifests.ofKind(documents, "Service"))
          .allSatisfy(s -> assertThat(selects(selector, s.at("/metadata/labels"))).isTrue());
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void volumes_whatIsMountedAndClaimed_isThere(Path preset) throws IOException {
    List<JsonNode> documents = documents(preset);
    String values = Files.readString(preset);
    List<String> objects =
        documents.stream()
            .map(d -> d.path("kind").asText() + d.at("/metadata/name").asText())
            .toList();
    List<String> secrets =
        Manifests.ofKind(documents, "Certificate").stream()
            .map(c -> c.at("/spec/secretName").asText())
            .toList();
    for (JsonNode template : Manifests.podTemplates(documents)) {
      List<String> volumes = texts(template.at("/spec/volumes"), "name");
      assertThat(volumes).doesNotHaveDuplicates();
      List<String> mounted = new ArrayList<>();
      for (JsonNode container : Manifests.containers(template)) {
        List<String> mounts = texts(container.path("volumeMounts"), "name");
        assertThat(volumes).containsAll(mounts);
        assertThat(texts(container.path("volumeMounts"), "mountPath")).doesNotHaveDuplicates();
        mounted.addAll(mounts);
      }
      assertThat(mounted).as("a volume that nobody mounts").containsAll(volumes);
      for (JsonNode volume : template.at("/spec/volumes")) {
        String claim = volume.at("/persistentVolumeClaim/claimName").asText();
        String config = volume.at("/configMap/name").asText();
        String secret = volume.at("/secret/secretName").asText();
        assertThat(
                claim.isEmpty()
                    || objects.contains("PersistentVolumeClaim" + claim)
                    || values.contains(claim))
            .isTrue();
        assertThat(config.isEmpty() || objects.contains("ConfigMap" + config)).isTrue();
        assertThat(secret.isEmpty() || secrets.contains(secret) || values.contains(secret))
            .isTrue();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void pods_areFitForARestrictedNamespace(Path preset) throws IOException {
    for (JsonNode template : Manifests.podTemplates(documents(preset))) {
      JsonNode pod = template.path("spec");
      assertThat(pod.at("/securityContext/runAsNonRoot").asBoolean()).isTrue();
      assertThat(pod.at("/securityContext/runAsUser").asInt()).isPositive();
      assertThat(pod.at("/securityContext/seccompProfile/type").asText())
          .isEqualTo("RuntimeDefault");
      assertThat(pod.path("automountServiceAccountToken").asBoolean(true)).isFalse();
      for (String shared : List.of("hostNetwork", "hostPID", "hostIPC")) {
        assertThat(pod.path(shared).asBoolean(false)).isFalse();
      }
      for (JsonNode container : Manifests.containers(template)) {
        JsonNode security = container.path("securityContext");
        assertThat(security.path("allowPrivilegeEscalation").asBoolean(true)).isFalse();
        assertThat(security.path("readOnlyRootFilesystem").asBoolean()).isTrue();
        assertThat(strings(security.at("/capabilities/drop"))).containsExactly("ALL");
        assertThat(texts(container.path("volumeMounts"), "mountPath")).contains("/tmp");
      }
      for (JsonNode volume : pod.path("volumes")) {
        assertThat(Set.of("configMap", "emptyDir", "persistentVolumeClaim", "secret"))
            .containsAll(
                volume.properties().stream()
                    .map(Map.Entry::getKey)
                    .filter(k -> !k.equals("name"))
                    .toList());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void containers_environmentAndDevices_areOnceAndInLimits(Path preset) throws IOException {
    for (JsonNode template : Manifests.podTemplates(documents(preset))) {
      for (JsonNode container : Manifests.containers(template)) {
        assertThat(texts(container.path("env"), "name")).doesNotHaveDuplicates();
        Stream<String> requested =
            container.at("/resources/requests").properties().stream().map(Map.Entry::getKey);
        assertThat(requested).isSubsetOf("cpu", "memory");
        assertThat(container.at("/resources/limits").has("memory")).isTrue();
      }
    }
    if (Files.readString(preset).contains("gpu: {count: 1")) {
      assertThat(Manifests.podTemplates(documents(preset)))
          .filteredOn(
              t -> t.at("/metadata/labels/app.kubernetes.io~1component").asText().equals("trainer"))
          .allSatisfy(
              t ->
                  assertThat(t.at("/spec/initContainers/0/resources/limits").toString())
                      .containsPattern("\"nvidia.com/[a-z0-9.-]+\":1"));
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void jobs_restartsAndFailurePolicies_areThoseOfTheProgram(Path preset) throws IOException {
    List<Integer> codes = Arrays.stream(ExitCode.values()).map(ExitCode::code).toList();
    for (JsonNode job : Manifests.jobSpecs(documents(preset))) {
      JsonNode pod = job.at("/template/spec");
      assertThat(pod.path("restartPolicy").asText()).isEqualTo("Never");
      assertThat(job.path("podReplacementPolicy").asText()).isEqualTo("Failed");
      List<String> names = texts(pod.path("containers"), "name");
      for (JsonNode rule : job.at("/podFailurePolicy/rules")) {
        if (rule.has("onExitCodes")) {
          assertThat(names).contains(rule.at("/onExitCodes/containerName").asText());
          rule.at("/onExitCodes/values")
              .forEach(value -> assertThat(codes).contains(value.asInt()));
        }
      }
      for (JsonNode sidecar : pod.path("initContainers")) {
        assertThat(sidecar.path("restartPolicy").asText()).isEqualTo("Always");
      }
    }
    for (JsonNode deployment : Manifests.ofKind(documents(preset), "Deployment")) {
      assertThat(deployment.at("/spec/template/spec").has("restartPolicy")).isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("presets")
  void names_areShortEnoughForPodsAndServices(Path preset) throws IOException {
    String rendered = Chart.render(preset, Chart.NEWEST, "fullnameOverride=" + "x".repeat(40));
    for (JsonNode document : Manifests.parse(rendered)) {
      // A Job's pods append an index and five characters.
      assertThat(document.at("/metadata/name").asText()).hasSizeLessThan(56);
    }
  }
}
