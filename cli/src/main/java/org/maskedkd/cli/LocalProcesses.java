package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.LocalAddresses;
import org.maskedkd.runtime.RunException;

/** The stages of a run, as processes on this machine. Closing stops them. */
final class LocalProcesses implements AutoCloseable {
  /** The first start of all unpacks 400 MB of native libraries. */
  private static final Duration START = Duration.ofMinutes(3);

  private static final Duration STOP = Duration.ofSeconds(40);

  private final LocalAddresses local;
  private final List<StageProcess> stages;

  private LocalProcesses(LocalAddresses local, List<StageProcess> stages) {
    this.local = local;
    this.stages = stages;
  }

  /**
   * The stages that {@code config} gives no address of.
   *
   * @return the student first, if it is one of them
   */
  static List<StageSpec> stagesOf(RunConfig config) {
    boolean localStudent = config.student().address().isEmpty();
    boolean localTeachers = config.distils() && config.teacher().addresses().isEmpty();
    int teachers = localTeachers ? Math.max(1, config.teacher().replicas()) : 0;
    int share =
        Math.max(
            1,
            Runtime.getRuntime().availableProcessors()
                / Math.max(1, teachers + (localStudent ? 1 : 0)));
    List<StageSpec> specs = new ArrayList<>();
    if (localStudent) {
      int threads = config.student().threads() > 0 ? config.student().threads() : share;
      specs.add(
          new StageSpec(
              "student",
              StageSpec.Role.STUDENT,
              List.of(
                  "--threads", Integer.toString(threads),
                  // Paths of a config are the user's own here; from another machine they would not
                  // be.
                  "--data-root", Path.of("").toAbsolutePath().getRoot().toString(),
                  "--run-root", config.runsDir()),
              threads));
    }
    for (int i = 0; i < teachers; i++) {
      RunConfig.Teacher teacher = config.teacher();
      int threads = teacher.threads() > 0 ? teacher.threads() : share;
      List<String> arguments = new ArrayList<>();
      arguments.addAll(List.of("--model", teacher.model(), "--weights", teacher.weights()));
      arguments.addAll(
          List.of(
              "--precision", teacher.precision().name(), "--threads", Integer.toString(threads)));
      statistics("--mean", teacher.mean(), arguments);
      statistics("--std", teacher.std(), arguments);
      specs.add(new StageSpec("teacher-" + i, StageSpec.Role.TEACHER, arguments, threads));
    }
    return specs;
  }

  private static void statistics(String option, List<Double> values, List<String> arguments) {
    if (!values.isEmpty()) {
      arguments.add(option);
      arguments.add(String.join(",", values.stream().map(String::valueOf).toList()));
    }
  }

  /**
   * Starts them all at once, logging into {@code logs}.
   *
   * @throws RunException when the folder of the logs cannot be made
   */
  static LocalProcesses start(List<StageSpec> specs, Path logs) {
    return start(specs, logs, LocalAddresses.create());
  }

  /**
   * The same at addresses of the caller's choice.
   *
   * @param local is closed with this
   */
  static LocalProcesses start(List<StageSpec> specs, Path logs, LocalAddresses local) {
    return start(specs, logs, local, RestartBudget::standard);
  }

  /**
   * The same, started again as often as the caller says.
   *
   * @param restarts gives the budget of each stage
   */
  static LocalProcesses start(
      List<StageSpec> specs, Path logs, LocalAddresses local, Supplier<RestartBudget> restarts) {
    try {
      Files.createDirectories(logs);
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot make the folder " + logs + ": " + e, e);
    }
    return new LocalProcesses(
        local,
        specs.stream()
            .map(spec -> StageProcess.start(spec, local.of(spec.name()), logs, restarts.get()))
            .toList());
  }

  /**
   * Waits until all serve.
   *
   * @return their addresses, in the order of the specs
   * @throws RunException when one ended instead
   */
  List<String> addresses() throws InterruptedException {
    List<String> addresses = new ArrayList<>();
    for (StageProcess stage : stages) {
      addresses.add(stage.address(START));
    }
    return addresses;
  }

  /** Their processes, in the order of the specs. */
  List<Long> pids() {
    return stages.stream().map(StageProcess::pid).toList();
  }

  /** Ends {@link #addresses} with {@code code}, if it still waits; from any thread. */
  void abandon(ExitCode code) {
    stages.forEach(stage -> stage.abandon(code));
  }

  /** Stops them all and waits for their ends. */
  @Override
  public void close() {
    stages.forEach(StageProcess::requestStop);
    try {
      for (StageProcess stage : stages) {
        stage.awaitStop(STOP);
      }
    } catch (InterruptedException e) {
      // Their pipes end with this process, and they with the pipes.
      Thread.currentThread().interrupt();
    }
    local.close();
  }
}
