package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What the coordinator leaves in each checkpoint to know the run again.
 *
 * @param configDigest of the keys that make the run what it is
 * @param dataFingerprint as the student gave it
 * @param teacherDigest of the teacher's weights; empty without a teacher
 * @param bestTop1 best accuracy so far; -1 when nothing was evaluated yet
 */
record CoordinatorState(
    String configDigest,
    String dataFingerprint,
    String teacherDigest,
    long step,
    int epoch,
    int attempt,
    double bestTop1) {

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
    require(ExitCode.USAGE, "configuration", configDigest, now.configDigest);
    require(ExitCode.BAD_DATA, "data", dataFingerprint, now.dataFingerprint);
    require(ExitCode.INCOMPATIBLE, "teacher", teacherDigest, now.teacherDigest);
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
