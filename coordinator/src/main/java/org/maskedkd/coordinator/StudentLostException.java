package org.maskedkd.coordinator;

import org.maskedkd.runtime.RunException;

/**
 * The connection to the student has ended, and with it the step under way. The run goes on from
 * where the student stands when it is there again.
 */
final class StudentLostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final RunException why;

  StudentLostException(RunException why) {
    super(why.getMessage(), why);
    this.why = why;
  }

  RunException why() {
    return why;
  }
}
