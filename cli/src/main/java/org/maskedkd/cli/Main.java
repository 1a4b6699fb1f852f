package org.maskedkd.cli;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.DataException;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.student.StudentMain;
import org.maskedkd.teacher.TeacherMain;
import org.maskedkd.vit.WeightsException;
import picocli.CommandLine;

/** Every command; the class path holds the tensor library. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    System.exit(commandLine().execute(args));
  }

  /** The commands as they are parsed, for whoever writes their options elsewhere. */
  public static CommandLine commandLine() {
    return Commands.of(
        Main::exitCode,
        new DemoCommand(),
        new TrainCommand(),
        new AblateCommand(),
        new ReportCommand(),
        new EvaluateCommand(),
        new PredictCommand(),
        new ExportCommand(),
        new FlopsCommand(),
        new SimulateCommand(),
        new ShowCommand(),
        new DoctorCommand(),
        new ProbeCommand(),
        new BenchCommand(),
        new StudentMain(),
        new TeacherMain(),
        new CoordinatorCommand());
  }

  private static @Nullable ExitCode exitCode(Throwable failure) {
    return failure instanceof WeightsException || failure instanceof DataException
        ? ExitCode.BAD_DATA
        : null;
  }
}
