package org.maskedkd.student;

/** The coordinator gave the running step up, or is gone; nothing of the step may be kept. */
final class StepAbandonedException extends Exception {
  private static final long serialVersionUID = 1L;

  StepAbandonedException(String message) {
    super(message);
  }
}
