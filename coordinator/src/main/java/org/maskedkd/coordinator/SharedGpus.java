package org.maskedkd.coordinator;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.maskedkd.runtime.Quote;

/** Warns of stages that have the same GPU, which may not be what was meant. Event loop only. */
final class SharedGpus {
  private final Notices notices;
  private final Map<String, Set<String>> gpus = new LinkedHashMap<>();
  private final Set<String> said = new HashSet<>();

  SharedGpus(Notices notices) {
    this.notices = notices;
  }

  /**
   * A stage is there, perhaps again. What was said once is not said again.
   *
   * @param names of its GPUs, none where they are not known
   */
  void add(String stage, List<String> names) {
    gpus.put(stage, Set.copyOf(names));
    gpus.forEach(
        (other, others) -> {
          for (String name : names) {
            if (!other.equals(stage) && others.contains(name)) {
              warn(other, stage, name);
            }
          }
        });
  }

  private void warn(String one, String another, String gpu) {
    String warning =
        one
            + " and "
            + another
            + " have the same GPU, "
            + Quote.line(gpu)
            + ": they take turns on it, and a pipeline of them gains little. Give each a GPU of its"
            + " own, or a MIG slice, not a share";
    if (said.add(warning)) {
      notices.warn(warning);
    }
  }

  /** It has left for good. */
  void remove(String stage) {
    gpus.remove(stage);
  }
}
