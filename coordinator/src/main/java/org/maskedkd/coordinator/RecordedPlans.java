package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * Replays the plans of a {@code plans.jsonl}; of a step that was started several times, the last
 * one.
 */
final class RecordedPlans implements PlanSource {

  private final Path file;
  private final RunConfig config;
  private final Map<Long, PlanLine> lines = new HashMap<>();

  /**
   * @throws RunException with {@link ExitCode#USAGE} when there is no such file
   */
  static RecordedPlans require(Path file, RunConfig config) {
    if (!Files.isRegularFile(file)) {
      throw new RunException(ExitCode.USAGE, "no recorded plans at " + file);
    }
    return new RecordedPlans(List.of(file), config);
  }

  /**
   * @param files which need not exist; the last one's plans count more, and messages name it
   */
  RecordedPlans(List<Path> files, RunConfig config) {
    this.file = files.get(files.size() - 1);
    this.config = config;
    files.forEach(this::read);
  }

  private void read(Path from) {
    for (JsonNode node : JsonLines.read(from)) {
      try {
        PlanLine line = JsonLines.JSON.treeToValue(node, PlanLine.class);
        lines.put(line.step(), line);
      } catch (JsonProcessingException e) {
        throw new RunException(
            ExitCode.BAD_DATA,
            from + " holds a line that is no plan: " + e.getOriginalMessage(),
            e);
      }
    }
  }

  boolean has(long step) {
    return lines.containsKey(step);
  }

  @Override
  public PlannedStep plan(long step, int attempt, int stale, boolean goesOn) {
    PlanLine line = lines.get(step);
    PlanLine next = goesOn ? lines.get(step + 1) : null;
    if (line == null) {
      throw new RunException(
          ExitCode.USAGE,
          file
              + " has no plan of step "
              + step
              + " (it has "
              + lines.size()
              + "); end before it with --max-steps "
              + (step - 1));
    }
    PlannedStep plan;
    try {
      plan =
          line.toPlan(
              attempt,
              config.distils() ? 1 : 0,
              stale,
              next == null ? List.of() : next.staleSizes());
    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
      throw new RunException(ExitCode.BAD_DATA, file + ", step " + step + ": " + e.getMessage(), e);
    }
    int samples = plan.schedule().batch();
    if (samples != config.schedule().batch() || (plan.keep() > 0) != config.distils()) {
      throw new RunException(
          ExitCode.USAGE,
          String.format(
              "%s, step %d: a batch of %d and keep %s, but the configuration has a batch of %d and"
                  + " %s teacher; use the configuration that the plans were recorded with",
              file,
              step,
              samples,
              plan.keep(),
              config.schedule().batch(),
              config.distils() ? "a" : "no"));
    }
    return plan;
  }
}
