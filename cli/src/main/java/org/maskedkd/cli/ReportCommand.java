package org.maskedkd.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A page about a run or about a table of runs. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    description =
        "Writes a page (report.html) about a run, also one that is unfinished, or about all runs of a folder such as ablate and"
            + " demo leave. It needs nothing but itself; an earlier one is replaced.")
final class ReportCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "A run directory, or a folder of such.")
  private Path directory = Path.of("");

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write. Default: DIR/report.html")
  private @Nullable Path out;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    PrintWriter terminal = spec.commandLine().getOut();
    terminal.println(Report.write(directory, out));
    terminal.flush();
    return ExitCode.DONE.code();
  }
}
