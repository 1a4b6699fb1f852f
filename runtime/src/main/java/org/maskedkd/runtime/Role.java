package org.maskedkd.runtime;

import java.util.Locale;

/** What a process is in a run. */
public enum Role {
  COORDINATOR,
  STUDENT,
  TEACHER;

  /** As in labels and logs: {@code student}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
