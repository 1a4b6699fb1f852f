package org.maskedkd.helm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The dashboards that the chart ships. */
final class Dashboards {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Dashboards() {}

  static List<Path> files() {
    try (Stream<Path> files = Files.list(Chart.FOLDER.resolve("dashboards"))) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static JsonNode read(Path file) {
    try {
      return JSON.readTree(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All panels but the rows' titles. */
  static List<JsonNode> panels(JsonNode dashboard) {
    List<JsonNode> panels = new ArrayList<>();
    dashboard.path("panels").forEach(panels::add);
    panels.removeIf(panel -> panel.path("type").asText().equals("row"));
    return panels;
  }

  static List<String> expressions(JsonNode panel) {
    List<String> expressions = new ArrayList<>();
    panel.path("targets").forEach(target -> expressions.add(target.path("expr").asText()));
    return expressions;
  }

  /** An expression as Grafana sends it when every variable is set to all. */
  static String sent(String expression, String rateInterval) {
    return expression
        .replace("$__rate_interval", rateInterval)
        .replaceAll("\\$(job|teachers|coordinator|namespace)\\b", ".*");
  }
}
