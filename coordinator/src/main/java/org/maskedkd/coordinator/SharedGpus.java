package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.maskedkd.runtime.Quote;

/** Stages that have the same GPU, which may not be what was meant. */
final class SharedGpus {
  private SharedGpus() {}

  /**
   * What to warn of.
   *
   * @param gpus names of each stage's devices
   * @return a line for each device that several stages have
   */
  static List<String> warnings(Map<String, List<String>> gpus) {
    Map<String, List<String>> stages = new LinkedHashMap<>();
    gpus.forEach(
        (stage, names) ->
            names.stream()
                .distinct()
                .forEach(name -> stages.computeIfAbsent(name, n -> new ArrayList<>()).add(stage)));
    List<String> warnings = new ArrayList<>();
    stages.forEach(
        (name, having) -> {
          if (having.size() > 1) {
            warnings.add(
                String.join(" and ", having)
                    + " have the same GPU, "
                    + Quote.line(name)
                    + ": they take turns on it, and a pipeline of them gains little. Give each a GPU of"
                    + " its own, or a MIG slice, not a share");
          }
        });
    return warnings;
  }
}
