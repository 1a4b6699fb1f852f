package org.maskedkd.data;

import org.jspecify.annotations.Nullable;

/**
 * Images or their layout are not what was asked for. The message names the path, what was found,
 * and the way out.
 */
public class DataException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public DataException(String message) {
    super(message);
  }

  public DataException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
