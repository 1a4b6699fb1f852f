package org.maskedkd.coordinator;

/** A stop was asked for, and what is under way takes too long to wait for. */
final class GraceOverException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  GraceOverException() {
    super("what is under way takes longer than a stop may");
  }
}
