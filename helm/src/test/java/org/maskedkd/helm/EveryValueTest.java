package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Every key of the values changes what is rendered, somewhere. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class EveryValueTest {
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

  private static final String RUN =
      """
      run:
        config: {student: {model: s}, teacher: {model: a, weights: b}, data: {train: t, eval: e}}
      student: {gpu: {count: 1}}
      teacher: {gpu: {count: 1}}
      podDisruptionBudget: {enabled: true}
      """;

  private static final String SERVE =
      """
      trainer: {enabled: false}
      podDisruptionBudget: {enabled: true}
      teacher: {mode: serve, serve: {model: a, weights: b}%s}
      """;

  /** Ones in which together every key has a meaning. */
  private static final List<String> CONTEXTS =
      List.of(
          RUN
              + "metrics: {podMonitor: {enabled: true}, dashboards: {enabled: true}}\npersistence: {data: {enabled: true}}",
          RUN + "metrics: {prometheusRule: {enabled: true}}",
          RUN + "metrics: {serviceMonitor: {enabled: true}}\nplacement: spread",
          RUN + "workload: {kind: JobSet}\nserviceAccount: {create: false}",
          RUN + "tls: {mode: certManager, certManager: {issuerRef: {name: x}}}",
          RUN + "tls: {mode: existingSecret, existingSecret: {coordinator: x, teacher: y}}",
          "teacher: {mode: external, addresses: ['dns:x:1']}\n"
              + "run: {config: {student: {model: s}, data: {train: t, eval: e}}}",
          "teacher: {mode: none}\nrun: {configFile: 'seed: 1'}",
          SERVE.formatted(""),
          SERVE.formatted(", autoscaling: {kind: HPA, metricName: m}"),
          SERVE.formatted(", autoscaling: {kind: KEDA, prometheusAddress: 'http://x'}"));

  /** Where a value of the same type would not do. */
  private static final Map<String, String> OTHERS =
      Map.ofEntries(
          Map.entry("image.pullPolicy", "Never"),
          Map.entry("image.digest", "sha256:" + "0".repeat(64)),
          Map.entry("workload.kind", "JobSet"),
          Map.entry("teacher.mode", "external"),
          Map.entry("teacher.serve.precision", "bf16"),
          Map.entry("teacher.serve.mean", "[0.5]"),
          Map.entry("teacher.serve.std", "[0.5]"),
          Map.entry("teacher.addresses", "['dns:y:2']"),
          Map.entry("teacher.autoscaling.kind", "none"),
          Map.entry("teacher.autoscaling.target", "'7'"),
          Map.entry("teacher.autoscaling.prometheusAddress", "'http://y'"),
          Map.entry("teacher.gpu.resourceName", "a/b"),
          Map.entry("student.gpu.resourceName", "a/b"),
          Map.entry("run.configFile", "'seed: 2'"),
          Map.entry("logFormat", "text"),
          Map.entry("placement", "none"),
          Map.entry("tls.mode", "disabled"),
          Map.entry("extraObjects", "[{kind: ConfigMap, metadata: {name: x7}}]"),
          Map.entry("metrics.prometheusRule.runbookUrl", "'https://x'"),
          Map.entry("metrics.prometheusRule.disabled", "[MaskedKDBubbleHigh]"),
          Map.entry("networkPolicy.teacherClients", "[{podSelector: {}}]"),
          Map.entry("networkPolicy.metricsClients", "[{podSelector: {}}]"));

  @TempDir private Path scratch;

  private static List<String> leaves(ObjectNode tree, String prefix) {
    List<String> leaves = new ArrayList<>();
    for (Map.Entry<String, JsonNode> entry : tree.properties()) {
      String path = prefix + entry.getKey();
      if (entry.getValue() instanceof ObjectNode section && !section.isEmpty()) {
        leaves.addAll(leaves(section, path + "."));
      } else {
        leaves.add(path);
      }
    }
    return leaves;
  }

  private static JsonNode another(String path, JsonNode value) throws IOException {
    String special = OTHERS.get(path);
    if (special != null) {
      return YAML.readTree(special);
    }
    String name = path.substring(path.lastIndexOf('.') + 1);
    return YAML.readTree(
        switch (value.getNodeType()) {
          case BOOLEAN -> String.valueOf(!value.asBoolean());
          case NUMBER -> String.valueOf(value.asInt() + 100);
          case NULL -> "700";
          case ARRAY -> name.equals("accessModes") ? "[ReadOnlyMany]" : "[{name: x7, key: x7}]";
          case OBJECT -> "{x7: x7}";
          default ->
              switch (name) {
                case "size", "sizeLimit", "memory", "cpu" -> "7Gi";
                case "interval", "duration", "renewBefore" -> "7h";
                default -> "x7";
              };
        });
  }

  private static ObjectNode with(ObjectNode values, String path, JsonNode value) {
    ObjectNode copy = values.deepCopy();
    ObjectNode section = copy;
    String[] keys = path.split("\\.", -1);
    for (int i = 0; i < keys.length - 1; i++) {
      section = section.withObjectProperty(keys[i]);
    }
    section.set(keys[keys.length - 1], value);
    return copy;
  }

  /** Null if these values are refused. */
  private @Nullable String rendered(ObjectNode values) throws IOException {
    Path file = scratch.resolve("values.yaml");
    Files.writeString(file, YAML.writeValueAsString(values));
    try {
      return Chart.render(file, Chart.NEWEST);
    } catch (IllegalStateException refused) {
      return null;
    }
  }

  @Test
  void render_anotherValueOfAnyKey_changesWhatIsRendered() throws IOException {
    ObjectNode defaults = (ObjectNode) YAML.readTree(Chart.FOLDER.resolve("values.yaml").toFile());
    List<ObjectNode> contexts = new ArrayList<>();
    List<String> before = new ArrayList<>();
    for (String text : CONTEXTS) {
      ObjectNode context = (ObjectNode) YAML.readTree(text);
      contexts.add(context);
      before.add(Stream.ofNullable(rendered(context)).findFirst().orElseThrow());
    }
    List<String> idle = new ArrayList<>();
    for (String leaf : leaves(defaults, "")) {
      JsonNode value = another(leaf, defaults.at("/" + leaf.replace('.', '/')));
      boolean changes = false;
      for (int i = 0; i < contexts.size() && !changes; i++) {
        String after = rendered(with(contexts.get(i), leaf, value));
        changes = after != null && !after.equals(before.get(i));
      }
      if (!changes) {
        idle.add(leaf);
      }
    }

    assertThat(idle).isEmpty();
  }
}
