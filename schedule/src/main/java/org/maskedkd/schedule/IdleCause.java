package org.maskedkd.schedule;

import java.util.Locale;

/** Why a device had nothing to do. Each sentence says what holds at that moment. */
public enum IdleCause {
  /**
   * Teacher: before its first micro-batch (of those whose masks are not stale), and that one was
   * not handed over yet. Student: before its first forward.
   */
  FILL,
  /**
   * Teacher: between two of its micro-batches, and the next one was not handed over yet though the
   * window left the student room for it. Student: waits for a signal while a teacher works, and has
   * no forward left or by its list none that may come first; or it waits for nothing that the
   * schedule knows, such as its data.
   */
  STARVED,
  /**
   * Teacher: after its last micro-batch, and none of the next step was handed over. Student: after
   * its last backward.
   */
  DRAIN,
  /**
   * Teacher: as when starved, but the student could not run ahead since the next forward did not
   * fit the window. Student: waits for a signal while a teacher works, and the next forward does
   * not fit the window.
   */
  WINDOW,
  /**
   * Teacher: its next micro-batch was handed over but has not begun. Student: the signal it waits
   * for was computed, or no teacher works at all: something is on its way.
   */
  TRANSFER;

  /** As in metrics: {@code starved}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
