package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.coordinator.StageProfile;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.LocalAddresses;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.schedule.Simulator;

/** One row: a run of a student, teachers and a coordinator as processes of their own. */
final class BenchRun {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int TAIL_CHARACTERS = 2000;

  /** How exactly the moments of the first and the last measured step are known. */
  private static final long POLL_MILLIS = 100;

  private final BenchSetup setup;
  private final GracefulStop stop;

  BenchRun(BenchSetup setup, GracefulStop stop) {
    this.setup = setup;
    this.stop = stop;
  }

  /** What the processors did, and when, while the measured steps ran. */
  private record Window(
      long start, long end, CpuTimes before, CpuTimes after, Map<String, Long> peakBytes) {}

  /**
   * Starts the processes, lets them take their steps and ends them.
   *
   * @param folder for configuration, logs and the run's directory; is made
   * @throws RunException when a process fails, with what it said
   */
  BenchRow measure(BenchCase which, Path folder) throws IOException, InterruptedException {
    Files.createDirectories(folder);
    Path file = folder.resolve("bench.yaml");
    Files.writeString(file, setup.yaml(which, folder.toAbsolutePath().toString()));
    RunConfig config = ConfigLoader.load(file, List.of());
    List<StageSpec> stages = LocalProcesses.stagesOf(config);
    List<StageSpec> specs = new ArrayList<>();
    for (int i = 0; i < stages.size(); i++) {
      specs.add(setup.prepared(stages.get(i), i));
    }
    try (LocalProcesses processes =
        LocalProcesses.start(
            specs,
            folder.resolve("logs"),
            setup.socketFiles() ? LocalAddresses.create() : LocalAddresses.ports())) {
      stop.onRequest(() -> processes.abandon(ExitCode.of(stop.signalExitCode())));
      List<String> addresses = processes.addresses();
      Path said = folder.resolve("logs").resolve("coordinator.out");
      Process coordinator = coordinator(file, addresses, said);
      try {
        Map<String, Long> pids = new LinkedHashMap<>();
        for (int i = 0; i < specs.size(); i++) {
          pids.put(specs.get(i).name(), processes.pids().get(i));
        }
        pids.put("coordinator", coordinator.pid());
        Window window = watch(coordinator, folder.resolve("run/metrics.jsonl"), pids);
        int code = coordinator.waitFor();
        if (window == null || code != ExitCode.DONE.code()) {
          throw failed(code, said);
        }
        return row(which, config.directory(), window, pids);
      } finally {
        coordinator.destroy();
      }
    }
  }

  private Process coordinator(Path file, List<String> addresses, Path said) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("coordinator", "-c", file.toString()));
    arguments.addAll(List.of("--student", addresses.get(0)));
    addresses.stream().skip(1).forEach(a -> arguments.addAll(List.of("--teacher", a)));
    Process process =
        new ProcessBuilder(JavaCommand.pinned(setup.core(0), JavaCommand.ofCoordinator(arguments)))
            .redirectErrorStream(true)
            .redirectOutput(said.toFile())
            .start();
    stop.onRequest(process::destroy);
    return process;
  }

  /** Follows the run to the end of its last step; null if it ends before. */
  private @Nullable Window watch(Process coordinator, Path metrics, Map<String, Long> pids)
      throws IOException, InterruptedException {
    List<Long> ours = new ArrayList<>(pids.values());
    ours.add(ProcessHandle.current().pid());
    long start = 0;
    CpuTimes before = null;
    long size = -1;
    while (true) {
      boolean ended = coordinator.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS);
      long now = System.nanoTime();
      long written = Files.exists(metrics) ? Files.size(metrics) : 0;
      if (written != size) {
        size = written;
        long steps = written == 0 ? 0 : lines(metrics).size();
        if (before == null && steps >= setup.warmUpSteps()) {
          start = now;
          before = CpuTimes.now(ours);
        }
        if (before != null && steps >= setup.warmUpSteps() + setup.steps()) {
          CpuTimes after = CpuTimes.now(ours);
          Map<String, Long> peaks = new LinkedHashMap<>();
          for (Map.Entry<String, Long> process : pids.entrySet()) {
            peaks.put(process.getKey(), CpuTimes.peakBytes(process.getValue()));
          }
          return new Window(start, now, before, after, peaks);
        }
      }
      if (ended) {
        return null;
      }
    }
  }

  private RunException failed(int code, Path said) throws IOException {
    if (stop.signalExitCode() != ExitCode.DONE.code()) {
      return new RunException(ExitCode.of(stop.signalExitCode()), "stopped");
    }
    String all = Files.readString(said);
    return new RunException(
        code == ExitCode.DONE.code() ? ExitCode.INTERNAL : ExitCode.of(code),
        "the coordinator ended with exit code %d; it said: %s; its output is %s"
            .formatted(
                code, all.substring(Math.max(0, all.length() - TAIL_CHARACTERS)).strip(), said));
  }

  private BenchRow row(BenchCase which, Path run, Window window, Map<String, Long> pids)
      throws IOException {
    List<JsonNode> all = lines(run.resolve("metrics.jsonl"));
    List<JsonNode> steps = all.subList(setup.warmUpSteps(), all.size());
    double wait = median(steps, step -> step.path("data_wait_seconds").asDouble());
    double step =
        median(
            steps,
            line ->
                line.path("step_seconds").asDouble() - line.path("data_wait_seconds").asDouble());
    double student = median(steps, line -> line.path("student_busy_seconds").asDouble());
    double teacher =
        median(steps, line -> line.path("teacher_busy_seconds").asDouble() / which.teachers());
    List<JsonNode> plans = lines(run.resolve("plans.jsonl"));
    JsonNode plan = plans.get(plans.size() - 1);
    List<Integer> sizes = new ArrayList<>();
    plan.path("micro_batch_sizes").forEach(size -> sizes.add(size.asInt()));
    StageProfile bare = StageProfile.read(run);
    SleepDevices sleep = setup.sleep();
    Costs ideal = sleep != null ? sleep.costs(setup.batch()) : null;
    Costs costs = bare != null ? bare.costs() : ideal;
    Double predicted = null;
    Double bound = null;
    if (costs != null) {
      List<Double> asked = setup.slowness(which.teachers());
      List<Double> measured = bare == null ? asked : bare.slowness();
      int held = plan.path("window_samples").asInt();
      predicted =
          Simulator.run(
                  SchedulePlanner.plan(which.order(), sizes, held, which.teachers()),
                  costs,
                  measured.size() == which.teachers() ? measured : asked)
              .step();
      bound = (ideal != null ? ideal : costs).bound(setup.batch(), asked);
    }
    double others = window.after.othersShareSince(window.before);
    double busiest = Math.max(student, teacher);
    return new BenchRow(
        which.schedule(),
        sizes.size(),
        sizes,
        setup.batch(),
        which.keep(),
        which.precision().name().toLowerCase(Locale.ROOT),
        which.teachers(),
        steps.size(),
        step,
        (window.end - window.start) / 1e9 / setup.steps(),
        wait,
        median(steps, line -> line.path("data_cpu_seconds").asDouble()),
        setup.batch() / step,
        1 - busiest / step,
        (busiest - Math.min(student, teacher)) / step,
        student,
        teacher,
        predicted,
        bare(steps),
        bound,
        bound == null ? null : bound / step,
        bare == null ? null : bare.fixed(),
        others,
        others <= BenchRow.MOST_OTHERS,
        window.peakBytes,
        pids);
  }

  private static @Nullable Double bare(List<JsonNode> steps) {
    boolean known = steps.stream().allMatch(step -> bareOf(step).isNumber());
    return known ? median(steps, step -> bareOf(step).asDouble()) : null;
  }

  private static JsonNode bareOf(JsonNode step) {
    return step.path("pipeline").path("bare_step_seconds");
  }

  /** The whole lines; behind the last line break one may still be being written. */
  private static List<JsonNode> lines(Path file) throws IOException {
    String text = Files.readString(file, StandardCharsets.UTF_8);
    List<JsonNode> lines = new ArrayList<>();
    for (String line : text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  static double median(List<JsonNode> steps, ToDoubleFunction<JsonNode> value) {
    double[] sorted = steps.stream().mapToDouble(value).sorted().toArray();
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}
