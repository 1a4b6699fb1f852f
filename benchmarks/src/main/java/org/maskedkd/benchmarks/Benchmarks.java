package org.maskedkd.benchmarks;

import java.util.Locale;
import org.maskedkd.runtime.LogFormat;
import org.maskedkd.runtime.Logging;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command line of all benchmarks. */
@Command(
    name = "benchmarks",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "BENCHMARK",
    subcommands = {
      TeacherBenchmark.class,
      KeepBenchmark.class,
      MemoryBenchmark.class,
      StudentBenchmark.class,
      CoordinatorBenchmark.class,
      DataBenchmark.class,
      KernelsBenchmark.class
    },
    description = "Measures one part at a time and prints what it found.")
public final class Benchmarks {
  private Benchmarks() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    Logging.configure("benchmarks", "WARN", LogFormat.TEXT);
    System.exit(new CommandLine(new Benchmarks()).execute(args));
  }
}
