package org.maskedkd.runtime;

/** How a process writes its log. */
public enum LogFormat {
  /** Lines for people. */
  TEXT,

  /** A JSON object a line, for whoever collects logs; {@code docs/logging.md} has the fields. */
  JSON
}
