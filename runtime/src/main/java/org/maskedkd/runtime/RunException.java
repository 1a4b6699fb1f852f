package org.maskedkd.runtime;

import org.jspecify.annotations.Nullable;

/**
 * Something a user is to be told. The message is all that the user sees, so it says what was
 * expected, what was found, where, and what to do about it.
 */
public final class RunException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ExitCode exitCode;

  public RunException(ExitCode exitCode, String message) {
    this(exitCode, message, /* cause= */ null);
  }

  public RunException(ExitCode exitCode, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  /** What the process that this failure ends is to exit with. */
  public ExitCode exitCode() {
    return exitCode;
  }
}
