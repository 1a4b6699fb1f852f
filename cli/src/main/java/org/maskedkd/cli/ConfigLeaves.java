package org.maskedkd.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;

/** The keys of a configuration with their values as text, such as {@code masking.keep}. */
final class ConfigLeaves {
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

  /** What names a run, or differs between the runs of one row. */
  private static final Set<String> NAMES = Set.of("name", "runs-dir", "seed");

  private ConfigLeaves() {}

  /** All but those that only name the run. */
  static Map<String, String> of(RunConfig config) {
    Map<String, String> leaves = new TreeMap<>();
    try {
      collect(YAML.readTree(ConfigLoader.toYaml(config)), "", leaves);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration is always YAML", e);
    }
    leaves.keySet().removeAll(NAMES);
    return leaves;
  }

  private static void collect(JsonNode node, String prefix, Map<String, String> leaves) {
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      if (entry.getValue().isObject()) {
        collect(entry.getValue(), prefix + entry.getKey() + ".", leaves);
      } else {
        leaves.put(
            prefix + entry.getKey(),
            entry.getValue().isValueNode()
                ? entry.getValue().asText()
                : entry.getValue().toString());
      }
    }
  }
}
