package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Release;
import org.maskedkd.runtime.RunException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class CommandsTest {

  @Command(name = "fail")
  private record Failing(Exception failure) implements Callable<Integer> {
    @Override
    public Integer call() throws Exception {
      throw failure;
    }
  }

  private static Run failing(Exception failure) {
    CommandLine commands =
        Commands.of(
            e -> e instanceof ArithmeticException ? ExitCode.BAD_DATA : none(),
            new Failing(failure));
    return Run.of(commands, "fail");
  }

  private static @Nullable ExitCode none() {
    return null;
  }

  @ParameterizedTest
  @CsvSource({
    "flops --studnet x, --student",
    "flops --student x --teacher y --keeep 0.5, --keep",
    "flops --student x --teacher y --jsn, --json",
    "flop, flops",
    "docter, doctor",
  })
  void execute_wrongOptionOrCommand_exits64AndNamesTheNearest(String line, String nearest) {
    Run run = Run.of(line.split(" "));
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("Did you mean " + nearest + "?").doesNotContain("Exception");
    assertThat(run.out()).isEmpty();
  }

  @Test
  void execute_nothing_exits64AndPointsToHelp() {
    Run run = Run.of();
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("no command given").contains("maskedkd --help");
  }

  @Test
  void execute_help_listsEveryCommandWithItsDescription() {
    Run run = Run.of("--help");
    assertThat(run.exit()).isZero();
    Main.commandLine()
        .getSubcommands()
        .forEach(
            (name, command) -> {
              assertThat(run.out()).contains("  " + name + " ");
              assertThat(command.getCommandSpec().usageMessage().description()).isNotEmpty();
            });
  }

  @Test
  void execute_version_isThatOfTheBuild() {
    assertThat(Run.of("--version").out().strip()).isEqualTo("maskedkd " + Release.version());
  }

  @ParameterizedTest
  @EnumSource(ExitCode.class)
  void execute_runException_exitsWithItsCodeAndOneParagraph(ExitCode exit) {
    Run run = failing(new RunException(exit, "expected 3, found 4"));
    assertThat(run.exit()).isEqualTo(exit.code());
    assertThat(run.err()).startsWith("maskedkd fail: expected 3, found 4").doesNotContain("\tat ");
  }

  @Test
  void execute_failuresOfKnownKinds_haveTheirCodes() {
    assertThat(failing(new IllegalArgumentException("x")).exit()).isEqualTo(64);
    assertThat(failing(new ArithmeticException("x")).exit()).isEqualTo(65);
  }

  @Test
  void execute_unexpectedFailure_exits70AndSaysWhereTheTraceIs() {
    Run run = failing(new IllegalStateException("why"));
    assertThat(run.exit()).isEqualTo(70);
    assertThat(run.err())
        .contains("IllegalStateException: why", "The stack trace is in ")
        .doesNotContain("\tat ");
  }
}
