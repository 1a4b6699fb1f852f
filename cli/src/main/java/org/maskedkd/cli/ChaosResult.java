package org.maskedkd.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.cli.ChaosEvent.Role;

/**
 * What a run under kills has come to, as it is printed with {@code --json}.
 *
 * @param killsInCheckpoints kills of the student while it wrote one; some of {@code kills}
 * @param replayedSteps that were committed, lost with a student and trained again
 * @param identical whether the run came to the same as the undisturbed one
 * @param differences in what it did not
 * @param weights SHA-256 over the final weights' names, types, shapes and bytes
 * @param recoverySeconds by role
 * @param faults of the network, by kind
 */
@JsonInclude(JsonInclude.Include.ALWAYS)
record ChaosResult(
    long seed,
    int steps,
    int teachers,
    int kills,
    int killsInCheckpoints,
    int pauses,
    Map<String, Long> faults,
    boolean identical,
    List<String> differences,
    String weights,
    long replayedSteps,
    double undisturbedSeconds,
    double seconds,
    Map<String, RoleRecovery> recoverySeconds) {
  private static final ObjectMapper JSON =
      JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

  /**
   * Of the kills of one role. Seconds are null where there was none.
   *
   * @param median to the first step committed after the kill, where nothing else was killed or
   *     stopped meanwhile; likewise {@code max}
   * @param medianCaughtUp to the first step that had not been committed before the kill, likewise
   * @param maxOverlapping the most where something else was
   */
  @JsonInclude(JsonInclude.Include.ALWAYS)
  record RoleRecovery(
      int kills,
      int alone,
      @Nullable Double median,
      @Nullable Double max,
      @Nullable Double medianCaughtUp,
      @Nullable Double maxCaughtUp,
      @Nullable Double maxOverlapping) {

    static RoleRecovery of(List<Recovery> recoveries) {
      List<Recovery> alone = recoveries.stream().filter(Recovery::alone).toList();
      List<Double> first = alone.stream().map(Recovery::seconds).sorted().toList();
      List<Double> caughtUp = alone.stream().map(Recovery::caughtUpSeconds).sorted().toList();
      return new RoleRecovery(
          recoveries.size(),
          alone.size(),
          median(first),
          last(first),
          median(caughtUp),
          last(caughtUp),
          last(
              recoveries.stream()
                  .filter(r -> !r.alone())
                  .map(Recovery::seconds)
                  .sorted()
                  .toList()));
    }

    private static @Nullable Double median(List<Double> sorted) {
      int half = sorted.size() / 2;
      return sorted.isEmpty()
          ? null
          : sorted.size() % 2 == 1
              ? sorted.get(half)
              : (Double) ((sorted.get(half - 1) + sorted.get(half)) / 2);
    }

    private static @Nullable Double last(List<Double> sorted) {
      return sorted.isEmpty() ? null : sorted.get(sorted.size() - 1);
    }
  }

  static Map<String, RoleRecovery> byRole(List<Recovery> recoveries) {
    Map<String, RoleRecovery> byRole = new LinkedHashMap<>();
    for (Role role : Role.values()) {
      byRole.put(
          role.text(), RoleRecovery.of(recoveries.stream().filter(r -> r.role() == role).toList()));
    }
    return byRole;
  }

  String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a result that cannot be written as JSON: " + this, e);
    }
  }

  /** As people read it. */
  String toTable() {
    List<String> lines = new ArrayList<>();
    lines.add(
        String.format(
            Locale.ROOT,
            "%d steps, %d kills (%d while a checkpoint was written), %d pauses, faults of the network: %s",
            steps,
            kills,
            killsInCheckpoints,
            pauses,
            faults.isEmpty() ? "none" : faults));
    lines.add(
        String.format(
            Locale.ROOT,
            "%.1f s instead of %.1f s; %d steps were replayed",
            seconds,
            undisturbedSeconds,
            replayedSteps));
    lines.add("");
    lines.add(
        String.format(
            "%-12s %6s %6s %10s %10s %12s %12s %12s",
            "recovery of", "kills", "alone", "median", "most", "caught up", "most", "overlapping"));
    recoverySeconds.forEach(
        (role, r) ->
            lines.add(
                String.format(
                    "%-12s %6d %6d %10s %10s %12s %12s %12s",
                    role,
                    r.kills(),
                    r.alone(),
                    text(r.median()),
                    text(r.max()),
                    text(r.medianCaughtUp()),
                    text(r.maxCaughtUp()),
                    text(r.maxOverlapping()))));
    lines.add("");
    lines.add(
        identical
            ? "identical: weights, checkpoint, losses and evaluations; SHA-256 " + weights
            : "NOT identical: " + String.join("\n  ", differences));
    return String.join("\n", lines) + "\n";
  }

  private static String text(@Nullable Double seconds) {
    return seconds == null ? "–" : String.format(Locale.ROOT, "%.2f s", seconds);
  }
}
