package org.maskedkd.cli;

import java.util.Locale;
import picocli.CommandLine;

/** The commands that lead a run, alone, so that their process starts without the tensor library. */
public final class CoordinatorMain {
  private CoordinatorMain() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return Commands.of(
        failure -> null,
        new TrainCommand(),
        new CoordinatorCommand(),
        new SimulateCommand(),
        new ProbeCommand());
  }
}
