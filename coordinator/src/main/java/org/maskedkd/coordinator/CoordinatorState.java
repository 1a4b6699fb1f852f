package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What the coordinator leaves in each checkpoint to know the run again.
 *
 * @param configDigest of the keys that make the run what it is
 * @param dataFingerprint as the student gave it
 * @param teacherDigest of the teacher's weights; empty without a teacher
 * @param bestTop1 best accuracy so far; -1 when nothing was evaluated yet
 * @param config the keys that make the run what it is, with their values; null in checkpoints of
 *     format 1, which have only the digest
 */
record CoordinatorState(
    String configDigest,
    String dataFingerprint,
    String teacherDigest,
    long step,
    int epoch,
    int attempt,
    double bestTop1,
    @Nullable Map<String, String> config) {

  String toJson() {
    try {
      return JsonLines.JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static CoordinatorState parse(String json) {
    try {
      return JsonLines.JSON.readValue(json, CoordinatorState.class);
    } catch (JsonProcessingException e) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "the checkpoint's coordinator_state cannot be read: " + e.getOriginalMessage(),
          e);
    }
  }

  /** Refuses to go on with other data, another teacher or another configuration than the run's. */
  void requireSame(CoordinatorState now) {
    if (config == null || now.config == null) {
      require(ExitCode.USAGE, "configuration", configDigest, now.configDigest);
    } else {
      requireSameConfig(config, now.config);
    }
    require(ExitCode.BAD_DATA, "data", dataFingerprint, now.dataFingerprint);
    require(ExitCode.INCOMPATIBLE, "teacher", teacherDigest, now.teacherDigest);
  }

  /**
   * Key by key, because a later release has more keys: a new one changes nothing while it has its
   * default.
   */
  private static void requireSameConfig(Map<String, String> before, Map<String, String> now) {
    Map<String, String> defaults = Resumption.decidingDefaults();
    Set<String> keys = new TreeSet<>(before.keySet());
    keys.addAll(now.keySet());
    // An earlier release may have written one that is free by now.
    keys.removeIf(key -> !Resumption.decides(key));
    List<String> changed = new ArrayList<>();
    for (String key : keys) {
      String was = before.getOrDefault(key, defaults.get(key));
      if (!Objects.equals(was, now.get(key))) {
        changed.add(
            key
                + (before.containsKey(key) ? " was " + was : " was not known")
                + (now.containsKey(key) ? " and is now " + now.get(key) : " and is known no more"));
      }
    }
    if (!changed.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "the configuration is not the one that the run was begun with: "
              + String.join("; ", changed)
              + "; restore it or begin a new run under another name");
    }
  }

  private static void require(ExitCode code, String what, String before, String now) {
    if (!before.equals(now)) {
      throw new RunException(
          code,
          String.format(
              "the %s is not the one that the run was begun with: its digest was %s and is"
                  + " now %s; restore it or begin a new run under another name",
              what, before, now));
    }
  }
}
