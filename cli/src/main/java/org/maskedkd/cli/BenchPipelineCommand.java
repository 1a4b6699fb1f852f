package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.RunException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Schedules side by side, each as a run of processes of its own. */
@Command(
    name = "pipeline",
    mixinStandardHelpOptions = true,
    description =
        "Runs a student, its teachers and a coordinator as processes, once for each combination of"
            + " schedule, micro-batches, keep ratio, precision and number of teachers, and prints how long a step"
            + " took, was predicted to take and must take at least. With real models it also measures what one would"
            + " run instead: both models in one process, and two halves of a batch in two processes.")
final class BenchPipelineCommand implements Callable<Integer> {
  private static final String REAL = "real";

  /** The stages time themselves after five steps, when a sixth is planned already. */
  private static final int LEAST_WARM_UP = 7;

  private static final String TINY_STUDENT =
      "vit:image=32,patch=4,width=16,depth=1,heads=2,classes=8";

  @Option(
      names = "--devices",
      defaultValue = REAL,
      paramLabel = "DEVICES",
      description =
          "real, or devices that sleep: sleep:F=1,B=2,T=4,unit=500ms with F, B and T the student's forward, its"
              + " backward and a teacher's forward of a whole batch, U the optimizer, O an overhead per task. Default:"
              + " ${DEFAULT-VALUE}")
  private String devices = "";

  @Option(
      names = "--schedules",
      split = ",",
      defaultValue = "eager",
      paramLabel = "ORDER",
      description =
          "sequential, concurrent-full, masked-whole, fill-drain, eager, or auto: eager with sizes found by"
              + " simulation. Default: ${DEFAULT-VALUE}")
  private List<String> schedules = List.of();

  @Option(
      names = "--micro-batches",
      split = ",",
      defaultValue = "8",
      paramLabel = "N|SIZES",
      description =
          "A number, sizes such as 4:16:12, or auto; not for the schedule auto. Default: ${DEFAULT-VALUE}")
  private List<String> microBatches = List.of();

  @Option(
      names = "--keep",
      split = ",",
      defaultValue = "0.5",
      paramLabel = "SHARE",
      description =
          "Share of the patches that the teacher sees, in (0, 1]. Default: ${DEFAULT-VALUE}")
  private List<Double> keeps = List.of();

  @Option(
      names = "--precisions",
      split = ",",
      defaultValue = "fp32",
      paramLabel = "P",
      description = "fp32 or bf16, of all models. Default: ${DEFAULT-VALUE}")
  private List<RunConfig.Precision> precisions = List.of();

  @Option(
      names = "--teachers",
      split = ",",
      defaultValue = "1",
      paramLabel = "K",
      description = "Numbers of teacher processes. Default: ${DEFAULT-VALUE}")
  private List<Integer> teachers = List.of();

  @Option(
      names = "--slow",
      split = ",",
      paramLabel = "FACTOR",
      description =
          "By what factor each teacher that sleeps is slower than T says, the first ones' as far as given.")
  private List<Double> slow = List.of();

  @Option(
      names = "--student",
      paramLabel = "MODEL",
      description = "Default: deit_tiny_patch16_224; a tiny one if devices sleep")
  private @Nullable String student;

  @Option(
      names = "--teacher",
      paramLabel = "MODEL",
      description = "Default: deit_small_patch16_224; a tiny one if devices sleep")
  private @Nullable String teacher;

  @Option(
      names = "--batch",
      defaultValue = "128",
      paramLabel = "N",
      description = "Default: ${DEFAULT-VALUE}")
  private int batch;

  @Option(
      names = "--memory",
      defaultValue = "1",
      paramLabel = "SHARE",
      description =
          "Share of the batch whose activations the student may hold, in (0, 1]. Default: ${DEFAULT-VALUE}")
  private double memory;

  @Option(
      names = "--steps",
      defaultValue = "5",
      paramLabel = "N",
      description = "Measured steps of each row. Default: ${DEFAULT-VALUE}")
  private int steps;

  @Option(
      names = "--warm-up-steps",
      defaultValue = "8",
      paramLabel = "N",
      description =
          "Steps before them, 7 or more: after the first few the stages time themselves. Default: ${DEFAULT-VALUE}")
  private int warmUpSteps;

  @Option(
      names = "--pin",
      description =
          "One core for each process: the student and the coordinator on core 0, teacher i on core 1+i, counted round. A teacher on core 0 gets what the student leaves of it.")
  private boolean pin;

  @Option(
      names = "--socket-files",
      description =
          "Let the stages talk over socket files, as train does on one machine, instead of loopback TCP.")
  private boolean socketFiles;

  @Option(
      names = "--colocated",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "With real models, also the runs without a pipeline. Default: ${DEFAULT-VALUE}")
  private boolean colocated;

  @Option(names = "--json", description = "Print a JSON object per row instead of the table.")
  private boolean json;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Keep the runs' directories and rows.jsonl in this folder, which must not exist.")
  private @Nullable Path out;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException, InterruptedException {
    BenchSetup setup = setup();
    List<BenchCase> cases = cases(setup);
    GracefulStop stop = GracefulStop.install();
    Path folder = folder();
    try {
      List<BenchRow> rows = new ArrayList<>();
      BenchRun run = new BenchRun(setup, stop);
      for (BenchCase which : cases) {
        tell("[%d/%d] %s", cases.indexOf(which) + 1, cases.size(), which);
        add(run.measure(which, folder.resolve("row-" + (rows.size() + 1))), rows, folder);
      }
      if (setup.sleep() == null && colocated) {
        ColocatedBench alone = new ColocatedBench(setup, stop);
        for (RunConfig.Precision precision : precisions) {
          for (double keep : keeps) {
            tell("co-located, keep %s, %s", keep, lower(precision));
            add(alone.colocated(cases.get(0), keep, precision), rows, folder);
            tell("two halves of the batch, keep %s, %s", keep, lower(precision));
            add(alone.dataParallelBound(cases.get(0), keep, precision), rows, folder);
          }
        }
      }
      if (!json) {
        PrintWriter terminal = spec.commandLine().getOut();
        terminal.print(BenchTable.of(rows));
        terminal.flush();
      }
      return ExitCode.DONE.code();
    } finally {
      if (out == null) {
        delete(folder);
      }
    }
  }

  private void add(BenchRow row, List<BenchRow> rows, Path folder) throws IOException {
    rows.add(row);
    tell(
        "      %.4f s a step, others used %.1f %%%s",
        row.stepSeconds(), 100 * row.othersShare(), row.valid() ? "" : ": invalid");
    Files.writeString(
        folder.resolve("rows.jsonl"),
        row.toJson() + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
    if (json) {
      PrintWriter terminal = spec.commandLine().getOut();
      terminal.println(row.toJson());
      terminal.flush();
    }
  }

  private void tell(String format, Object... values) {
    PrintWriter progress = spec.commandLine().getErr();
    progress.println(String.format(Locale.ROOT, format, values));
    progress.flush();
  }

  private static String lower(RunConfig.Precision precision) {
    return precision.name().toLowerCase(Locale.ROOT);
  }

  private BenchSetup setup() {
    require(batch >= 1, "--batch is " + batch + ", expected 1 or more");
    require(memory > 0 && memory <= 1, "--memory is " + memory + ", expected a share in (0, 1]");
    require(steps >= 1, "--steps is " + steps + ", expected 1 or more");
    require(
        warmUpSteps >= LEAST_WARM_UP,
        "--warm-up-steps is " + warmUpSteps + ", expected " + LEAST_WARM_UP + " or more");
    SleepDevices sleep = devices.equals(REAL) ? null : SleepDevices.parse(devices);
    require(
        slow.isEmpty() || sleep != null,
        "--slow is %s, but only teachers that sleep can be made slower; add --devices=sleep:..."
            .formatted(slow));
    require(
        slow.stream().allMatch(factor -> factor > 0 && Double.isFinite(factor)),
        "--slow is " + slow + ", expected factors above 0");
    return new BenchSetup(
        BenchSetup.model(
            student != null ? student : sleep != null ? TINY_STUDENT : "deit_tiny_patch16_224"),
        BenchSetup.model(
            teacher != null ? teacher : sleep != null ? TINY_STUDENT : "deit_small_patch16_224"),
        batch,
        memory,
        steps,
        warmUpSteps,
        pin,
        socketFiles,
        sleep,
        slow);
  }

  /** Every combination, checked before the first is run. */
  private List<BenchCase> cases(BenchSetup setup) {
    List<BenchCase> cases = new ArrayList<>();
    for (int k : teachers) {
      require(k >= 1, "--teachers has " + k + ", expected 1 or more");
      for (RunConfig.Precision precision : precisions) {
        for (double keep : keeps) {
          require(keep > 0 && keep <= 1, "--keep has " + keep + ", expected shares in (0, 1]");
          for (String schedule : schedules) {
            boolean auto = schedule.equals(BenchCase.AUTO);
            for (String cut : auto ? List.of(BenchCase.AUTO) : microBatches) {
              BenchCase which = new BenchCase(schedule, cut, keep, precision, k);
              // Throws if it cannot be run.
              setup.window(which);
              cases.add(which);
            }
          }
        }
      }
    }
    return cases;
  }

  private static void require(boolean sound, String otherwise) {
    if (!sound) {
      throw new RunException(ExitCode.USAGE, otherwise);
    }
  }

  private Path folder() throws IOException {
    if (out == null) {
      return Files.createTempDirectory("maskedkd-bench-");
    }
    require(!Files.exists(out), out + " exists already; name another folder with --out");
    return Files.createDirectories(out);
  }

  static void delete(Path tree) throws IOException {
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
