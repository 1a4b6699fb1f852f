package org.maskedkd.coordinator;

/** Gets what a person should know, a line each. */
@FunctionalInterface
interface Notices {
  /** How the run gets on. */
  void note(String message);

  /** What somebody may have to act on. */
  default void warn(String message) {
    note("WARNING: " + message);
  }
}
