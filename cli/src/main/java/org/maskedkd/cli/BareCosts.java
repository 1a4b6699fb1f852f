package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.CostFit;
import org.maskedkd.schedule.Costs;

/**
 * What the tasks of a run cost by themselves, as its coordinator measured them before the first
 * step.
 *
 * @param fixed seconds that a task takes whatever its size, by operation
 */
record BareCosts(Costs costs, Map<String, Double> fixed) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What {@code profile.json} in the run's directory says; null without one. */
  static @Nullable BareCosts of(Path run) throws IOException {
    Path file = run.resolve("profile.json");
    if (!Files.exists(file)) {
      return null;
    }
    JsonNode profile = JSON.readTree(Files.readString(file));
    CostFit forward = fit(profile.path("forward"));
    CostFit teacher = fit(profile.path("teacher"));
    CostFit backward = fit(profile.path("backward"));
    double indices = profile.path("indices_seconds").asDouble();
    double signals = profile.path("signals_seconds").asDouble();
    double optimizer = profile.path("optimizer_seconds").asDouble();
    Map<String, Double> fixed = new LinkedHashMap<>();
    fixed.put("forward", forward.fixed());
    fixed.put("teacher", teacher.fixed());
    fixed.put("backward", backward.fixed());
    fixed.put("indices", indices);
    fixed.put("signals", signals);
    fixed.put("optimizer", optimizer);
    return new BareCosts(
        new Costs(
            forward.cost(),
            teacher.cost(),
            backward.cost(),
            Cost.linear(indices, 0),
            Cost.linear(signals, 0),
            optimizer),
        fixed);
  }

  private static CostFit fit(JsonNode points) {
    List<CostFit.Point> measured = new ArrayList<>();
    points.forEach(
        point ->
            measured.add(
                new CostFit.Point(
                    point.path("samples").asInt(), point.path("seconds").asDouble())));
    return CostFit.of(measured);
  }
}
