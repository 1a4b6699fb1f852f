package org.maskedkd.cli;

import java.util.Locale;

/**
 * Something that is done to one process of a run.
 *
 * @param at when, as a share of the time in which such things are done, in [0, 1)
 * @param index which of the role's processes, from 0 on
 * @param seconds how long a pause lasts; 0 for a kill
 */
record ChaosEvent(double at, Role role, int index, Kind kind, double seconds) {
  enum Role {
    STUDENT,
    TEACHER,
    COORDINATOR;

    String text() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  enum Kind {
    /** SIGKILL at once. */
    KILL,
    /** SIGKILL the next time that the student writes a checkpoint. */
    KILL_IN_CHECKPOINT,
    /** SIGSTOP, and SIGCONT later. */
    PAUSE
  }

  boolean kills() {
    return kind != Kind.PAUSE;
  }

  @Override
  public String toString() {
    String who = role == Role.TEACHER ? "teacher-" + index : role.text();
    return switch (kind) {
      case KILL -> who + " killed";
      case KILL_IN_CHECKPOINT -> who + " killed while it wrote a checkpoint";
      case PAUSE -> String.format(Locale.ROOT, "%s stopped for %.1f s", who, seconds);
    };
  }
}
