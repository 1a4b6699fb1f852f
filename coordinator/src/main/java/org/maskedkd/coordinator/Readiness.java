package org.maskedkd.coordinator;

/** Who is told whether a run gets on, such as a process's {@code /readyz}. */
public interface Readiness {
  /**
   * Called on the run's thread, whenever it changes.
   *
   * @param reason why, or what the run does, for a person
   */
  void set(boolean ready, String reason);
}
