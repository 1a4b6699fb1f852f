package org.maskedkd.cli;

import java.util.Locale;

/** What a {@link FaultyNetwork} does to what passes it. */
enum NetworkFault {
  /** Closes a connection, often within a message. */
  CUT,
  /** Holds bytes back for a while. */
  DELAY,
  /** Turns one bit over. */
  CORRUPT,
  /** Passes a message on twice. */
  DUPLICATE,
  /** Lets a message be overtaken by the one behind it. */
  REORDER;

  /** Whether it is done to messages; else to bytes, whatever they mean. */
  boolean ofMessages() {
    return this == DUPLICATE || this == REORDER;
  }

  String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
