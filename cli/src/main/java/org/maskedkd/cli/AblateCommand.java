package org.maskedkd.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a table of runs that differ in some keys, and writes what came of them. */
@Command(
    name = "ablate",
    mixinStandardHelpOptions = true,
    description =
        "Runs every row of a table once for each seed, one run after the other, and writes the table."
            + " What is finished is not run again, and what was begun goes on.")
final class AblateCommand implements Callable<Integer> {
  @Option(
      names = {"-c", "--config"},
      required = true,
      paramLabel = "FILE",
      description = "The table: config, seeds, and rows or a grid, YAML.")
  private Path file = Path.of("");

  @Parameters(
      paramLabel = "key=value",
      arity = "0..*",
      description = "Overrides of all rows, such as schedule.epochs=5.")
  private List<String> overrides = List.of();

  @Option(names = "--table", description = "Run nothing; write the table of what is there.")
  private boolean tableOnly;

  @Option(names = "--json", description = "Print a JSON object instead of the table.")
  private boolean json;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException, InterruptedException {
    AblationPlan plan = AblationPlan.read(file);
    List<AblationPlan.Cell> cells = plan.cells(overrides);
    GracefulStop stop = GracefulStop.install();
    Map<Path, String> failures = tableOnly ? Map.of() : run(plan, cells, stop);
    AblationTable table = AblationTable.of(cells, failures);
    Files.createDirectories(plan.folder());
    Files.writeString(plan.folder().resolve("table.md"), table.toMarkdown());
    Files.writeString(plan.folder().resolve("table.json"), table.toJson() + "\n");
    if (Report.isPossible(plan.folder())) {
      tell("report: " + Report.write(plan.folder(), null));
    }
    PrintWriter terminal = spec.commandLine().getOut();
    terminal.print(json ? table.toJson() + "\n" : table.toMarkdown());
    terminal.flush();
    if (stop.signalExitCode() != ExitCode.DONE.code()) {
      return stop.signalExitCode();
    }
    return (table.complete() || tableOnly ? ExitCode.DONE : ExitCode.INTERNAL).code();
  }

  /** What failed, and why, by directory. */
  private Map<Path, String> run(AblationPlan plan, List<AblationPlan.Cell> cells, GracefulStop stop)
      throws IOException, InterruptedException {
    Map<Path, String> failures = new LinkedHashMap<>();
    int number = 0;
    for (AblationPlan.Cell cell : cells) {
      number++;
      String what = "%d/%d %s, seed %d".formatted(number, cells.size(), cell.row(), cell.seed());
      if (AblationTable.finished(cell)) {
        tell(what + ": done before");
        continue;
      }
      if (stop.signalExitCode() != ExitCode.DONE.code()) {
        break;
      }
      int code = train(plan, cell, what, stop);
      if (stop.signalExitCode() != ExitCode.DONE.code()) {
        tell(what + ": stopped; the same call goes on with it");
      } else if (code != ExitCode.DONE.code()) {
        String why = "exit code " + code + ", see " + cell.directory().resolve("logs");
        failures.put(cell.directory(), why);
        tell(what + ": " + why);
      }
    }
    return failures;
  }

  private int train(AblationPlan plan, AblationPlan.Cell cell, String what, GracefulStop stop)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(List.of("train", "--go-on", "-c"));
    arguments.add(plan.config().toString());
    arguments.addAll(cell.overrides());
    Process process =
        new ProcessBuilder(JavaCommand.ofCoordinator(arguments)).redirectErrorStream(true).start();
    // A terminal's Ctrl-C reaches it by itself; a second signal would end it at once. Not
    // process.destroy(), which would close what it still has to say.
    stop.onRequest(
        () -> {
          if (stop.signalExitCode() == ExitCode.TERMINATED.code()) {
            process.toHandle().destroy();
          }
        });
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        tell(what + ": " + line);
      }
      return process.waitFor();
    } finally {
      process.destroy();
    }
  }

  private void tell(String what) {
    PrintWriter progress = spec.commandLine().getErr();
    progress.println(what);
    progress.flush();
  }
}
