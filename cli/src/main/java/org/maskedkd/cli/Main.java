package org.maskedkd.cli;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.vit.WeightsException;
import picocli.CommandLine;

/** Every command; the class path holds the tensor library. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return Commands.of(Main::exitCode, new FlopsCommand(), new DoctorCommand());
  }

  private static @Nullable ExitCode exitCode(Throwable failure) {
    return failure instanceof WeightsException ? ExitCode.BAD_DATA : null;
  }
}
