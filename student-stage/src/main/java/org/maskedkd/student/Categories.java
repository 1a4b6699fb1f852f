package org.maskedkd.student;

import java.io.IOException;
import org.maskedkd.data.DataException;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.vit.WeightsException;

/** Which exit code a failure of this stage stands for. */
final class Categories {
  private Categories() {}

  static Throwable of(Throwable failure) {
    String message = String.valueOf(failure.getMessage());
    if (failure instanceof DataException || failure instanceof WeightsException) {
      return new RunException(ExitCode.BAD_DATA, message, failure);
    }
    if (failure instanceof IOException) {
      return new RunException(ExitCode.CANNOT_WRITE, message, failure);
    }
    return failure;
  }
}
