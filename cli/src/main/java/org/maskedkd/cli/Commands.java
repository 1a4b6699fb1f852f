package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.NearestKey;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.LogFormat;
import org.maskedkd.runtime.Logging;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * How every command fails: one clear paragraph on standard error, or one event where only JSON is
 * logged, and an exit code; stack traces go to the log. A wrong option or command is answered with
 * the nearest right one.
 */
final class Commands {
  private static final Logger log = LoggerFactory.getLogger(Commands.class);

  private Commands() {}

  /**
   * The command with these subcommands.
   *
   * @param exitCodeOf the code of a failure that only some commands know, null for one it does not
   *     know either
   */
  static CommandLine of(Function<Throwable, @Nullable ExitCode> exitCodeOf, Object... subcommands) {
    CommandLine root = new CommandLine(new MaskedKd());
    for (Object subcommand : subcommands) {
      root.addSubcommand(subcommand);
    }
    root.setUsageHelpAutoWidth(true);
    root.setCaseInsensitiveEnumValuesAllowed(true);
    root.setParameterExceptionHandler((e, args) -> wrongUsage(e));
    root.setExecutionExceptionHandler((e, command, result) -> failed(e, command, exitCodeOf));
    return root;
  }

  private static int wrongUsage(ParameterException e) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    String name = command.getCommandSpec().qualifiedName();
    err.println(name + ": " + e.getMessage());
    // A misspelt option also leaves the right one missing, and picocli then reports only that.
    List<String> unknown =
        e instanceof UnmatchedArgumentException unmatched
            ? unmatched.getUnmatched()
            : command.getUnmatchedArguments();
    if (!unknown.isEmpty()) {
      String nearest = nearest(unknown.get(0), command);
      err.println(
          "Unknown: "
              + unknown.get(0)
              + (nearest.isEmpty() ? "" : ". Did you mean " + nearest + "?"));
    }
    err.println("See " + name + " --help.");
    return ExitCode.USAGE.code();
  }

  private static String nearest(String given, CommandLine command) {
    String option = given.contains("=") ? given.substring(0, given.indexOf('=')) : given;
    List<String> known = new ArrayList<>();
    if (option.startsWith("-")) {
      command.getCommandSpec().options().forEach(o -> known.addAll(List.of(o.names())));
    } else {
      known.addAll(command.getSubcommands().keySet());
    }
    return known.stream().min(Comparator.comparingInt(k -> NearestKey.edits(option, k))).orElse("");
  }

  private static int failed(
      Exception e, CommandLine command, Function<Throwable, @Nullable ExitCode> exitCodeOf) {
    ExitCode exit = exitCode(e, exitCodeOf);
    PrintWriter err = command.getErr();
    String name = command.getCommandSpec().qualifiedName();
    log.debug("{} failed", name, e);
    if (Logging.format() == LogFormat.JSON) {
      LoggingEventBuilder event = log.atError().addKeyValue("exit_code", exit.code());
      if (exit == ExitCode.INTERNAL) {
        event = event.setCause(e);
      }
      event.log(String.valueOf(e.getMessage()));
    } else if (exit != ExitCode.INTERNAL) {
      err.println(name + ": " + e.getMessage());
    } else if (e instanceof RunException) {
      err.println(name + ": " + e.getMessage() + trace(e));
    } else {
      err.println(
          name + ": an error inside the program, not in what it was given: " + e + trace(e));
    }
    return exit.code();
  }

  private static ExitCode exitCode(
      Exception e, Function<Throwable, @Nullable ExitCode> exitCodeOf) {
    if (e instanceof RunException run) {
      return run.exitCode();
    }
    ExitCode known = exitCodeOf.apply(e);
    if (known != null) {
      return known;
    }
    if (e instanceof IllegalArgumentException) {
      return ExitCode.USAGE;
    }
    return e instanceof UncheckedIOException ? ExitCode.CANNOT_WRITE : ExitCode.INTERNAL;
  }

  /** Says where the stack trace is, for a report. */
  private static String trace(Exception e) {
    StringWriter trace = new StringWriter();
    e.printStackTrace(new PrintWriter(trace));
    try {
      Path file = Files.createTempFile("maskedkd-", ".trace");
      Files.writeString(file, trace.toString());
      return "\nThe stack trace is in " + file;
    } catch (IOException cannotWrite) {
      return "\n" + trace;
    }
  }
}
