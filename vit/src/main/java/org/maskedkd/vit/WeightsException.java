package org.maskedkd.vit;

/**
 * A weights file that cannot be read or does not fit the model. The message names the file, and the
 * tensor if it is one.
 */
public final class WeightsException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  WeightsException(String message) {
    super(message);
  }

  WeightsException(String message, Throwable cause) {
    super(message, cause);
  }
}
