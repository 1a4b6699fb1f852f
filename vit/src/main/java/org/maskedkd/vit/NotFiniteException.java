package org.maskedkd.vit;

/** A model's own numbers are no numbers any more: its training has diverged. */
public final class NotFiniteException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public NotFiniteException(String message) {
    super(message);
  }
}
