package org.maskedkd.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.SchedulePlanner;

/** What one would run instead of a pipeline, as processes of their own. */
final class ColocatedBench {
  private static final int HEAP_MEGABYTES = 2048;
  private static final int HALVES = 2;

  private final BenchSetup setup;
  private final GracefulStop stop;

  ColocatedBench(BenchSetup setup, GracefulStop stop) {
    this.setup = setup;
    this.stop = stop;
  }

  /** Both models in one process, on all cores that the pipeline of {@code like} has. */
  BenchRow colocated(BenchCase like, double keep, RunConfig.Precision precision)
      throws IOException, InterruptedException {
    int cores = Runtime.getRuntime().availableProcessors();
    int used = setup.pin() ? Math.min(cores, 1 + like.teachers()) : cores;
    String where = setup.pin() ? "0-" + (used - 1) : "";
    return measure("colocated", like, keep, precision, setup.batch(), List.of(where), used);
  }

  /**
   * Two processes, each with half of the batch on a core of its own, which exchange no gradients:
   * data parallelism cannot be faster.
   */
  BenchRow dataParallelBound(BenchCase like, double keep, RunConfig.Precision precision)
      throws IOException, InterruptedException {
    List<String> cores = new ArrayList<>();
    for (int i = 0; i < HALVES; i++) {
      cores.add(Integer.toString(i % Runtime.getRuntime().availableProcessors()));
    }
    int half = Math.max(1, setup.batch() / HALVES);
    return measure("data-parallel-bound", like, keep, precision, half, cores, 1);
  }

  private BenchRow measure(
      String name,
      BenchCase like,
      double keep,
      RunConfig.Precision precision,
      int share,
      List<String> cores,
      int threads)
      throws IOException, InterruptedException {
    List<Integer> cut = like.sizes(setup.batch());
    int microBatch = Math.min(share, cut.isEmpty() ? share : cut.get(0));
    List<Process> processes = new ArrayList<>();
    try {
      for (String core : cores) {
        processes.add(start(keep, precision, share, microBatch, core, threads));
      }
      for (Process process : processes) {
        String said = process.inputReader(StandardCharsets.UTF_8).readLine();
        if (!ColocatedCommand.READY.equals(said)) {
          throw ended(process);
        }
      }
      return row(name, keep, precision, share, microBatch, processes);
    } finally {
      processes.forEach(Process::destroy);
      for (Process process : processes) {
        process.waitFor();
      }
    }
  }

  private Process start(
      double keep,
      RunConfig.Precision precision,
      int share,
      int microBatch,
      String core,
      int threads)
      throws IOException {
    List<String> arguments =
        List.of(
            "bench",
            "colocated",
            "--student=" + setup.student().canonical(),
            "--teacher=" + setup.teacher().canonical(),
            "--batch=" + share,
            "--micro-batch=" + microBatch,
            "--keep=" + keep,
            "--precision=" + precision,
            "--threads=" + threads,
            "--warm-up-steps=" + setup.warmUpSteps(),
            "--steps=" + setup.steps());
    ProcessBuilder builder =
        new ProcessBuilder(JavaCommand.pinned(core, JavaCommand.of(HEAP_MEGABYTES, "", arguments)));
    builder.environment().put("OMP_NUM_THREADS", Integer.toString(threads));
    Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    stop.onRequest(process::destroy);
    return process;
  }

  private BenchRow row(
      String name,
      double keep,
      RunConfig.Precision precision,
      int share,
      int microBatch,
      List<Process> processes)
      throws IOException, InterruptedException {
    Map<String, Long> pids = new LinkedHashMap<>();
    processes.forEach(process -> pids.put(name + "-" + pids.size(), process.pid()));
    List<Long> ours = new ArrayList<>(pids.values());
    ours.add(ProcessHandle.current().pid());
    long start = System.nanoTime();
    CpuTimes before = CpuTimes.now(ours);
    for (Process process : processes) {
      process.getOutputStream().write('\n');
      process.getOutputStream().flush();
    }
    List<Double> slowest = new ArrayList<>();
    for (int step = 0; step < setup.steps(); step++) {
      double longest = 0;
      for (Process process : processes) {
        // The same reader for every call: a process has only one.
        BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
        longest = Math.max(longest, seconds(lines.readLine(), process));
      }
      slowest.add(longest);
    }
    CpuTimes after = CpuTimes.now(ours);
    double wall = (System.nanoTime() - start) / 1e9 / setup.steps();
    Map<String, Long> peaks = new LinkedHashMap<>();
    for (Map.Entry<String, Long> process : pids.entrySet()) {
      peaks.put(process.getKey(), CpuTimes.peakBytes(process.getValue()));
    }
    double step = median(slowest);
    double others = after.othersShareSince(before);
    int count = (share + microBatch - 1) / microBatch;
    int images = share * processes.size();
    return new BenchRow(
        name,
        count,
        SchedulePlanner.uniform(share, count),
        images,
        keep,
        precision.name().toLowerCase(Locale.ROOT),
        processes.size(),
        setup.steps(),
        step,
        wall,
        0,
        null,
        images / step,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        others,
        others <= BenchRow.MOST_OTHERS,
        peaks,
        pids);
  }

  private double seconds(@Nullable String line, Process process) throws InterruptedException {
    if (line == null) {
      throw ended(process);
    }
    return Double.parseDouble(line);
  }

  private RunException ended(Process process) throws InterruptedException {
    if (stop.signalExitCode() != ExitCode.DONE.code()) {
      return new RunException(ExitCode.of(stop.signalExitCode()), "stopped");
    }
    process.destroy();
    return new RunException(
        ExitCode.INTERNAL,
        "the process without a pipeline ended with exit code %d; what it said stands above"
            .formatted(process.waitFor()));
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}
