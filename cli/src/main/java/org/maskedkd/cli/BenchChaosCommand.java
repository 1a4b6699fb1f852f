package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.LocalAddresses;
import org.maskedkd.runtime.RunException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Whether a run whose processes die comes to the same as one that nothing happens to. */
@Command(
    name = "chaos",
    mixinStandardHelpOptions = true,
    description =
        "Runs a student, its teachers and a coordinator as processes, once undisturbed and once while they"
            + " are killed and stopped at moments drawn by a seed, and compares weights, checkpoint, losses and"
            + " evaluations bit by bit. Exit code 0 only if they are the same.")
final class BenchChaosCommand implements Callable<Integer> {
  /** Long enough that the processes are up again now and then. */
  private static final int STEPS_PER_EVENT = 250;

  private static final int LEAST_STEPS = 300;

  /** The share of the undisturbed run's time over which moments are drawn. */
  private static final double WINDOW = 0.9;

  @Option(
      names = "--kills",
      defaultValue = "20",
      paramLabel = "N",
      description =
          "Processes to kill: a quarter of them students, teachers and coordinators each, one more a student that"
              + " writes a checkpoint, the rest by chance. Default: ${DEFAULT-VALUE}")
  private int kills;

  @Option(
      names = "--pauses",
      defaultValue = "3",
      paramLabel = "N",
      description =
          "Processes to stop for a while; every third one for about --longest-pause. Default: ${DEFAULT-VALUE}")
  private int pauses;

  @Option(
      names = "--longest-pause",
      defaultValue = "65",
      paramLabel = "SECONDS",
      description =
          "Default: ${DEFAULT-VALUE}, more than the run waits for a peer that says nothing.")
  private double longestPause;

  @Option(
      names = "--seed",
      defaultValue = "1",
      paramLabel = "S",
      description = "Of the run, and of who is killed and when. Default: ${DEFAULT-VALUE}")
  private long seed;

  @Option(
      names = "--teachers",
      defaultValue = "2",
      paramLabel = "K",
      description = "Teacher processes. Default: ${DEFAULT-VALUE}")
  private int teachers;

  @Option(
      names = "--steps",
      defaultValue = "0",
      paramLabel = "N",
      description = "Steps of the run; 0: 250 for each kill and pause, at least 300.")
  private int steps;

  @Option(
      names = "--proxy",
      split = ",",
      paramLabel = "FAULT",
      description =
          "Let the coordinator reach the stages through a network that does this: ${COMPLETION-CANDIDATES}.")
  private Set<NetworkFault> proxy = Set.of();

  @Option(
      names = "--fault-every",
      defaultValue = "3",
      paramLabel = "SECONDS",
      description =
          "Mean time between two faults of one kind on the way to one stage. Default: ${DEFAULT-VALUE}")
  private double faultEvery;

  @Option(names = "--json", description = "Print a JSON object instead of the table.")
  private boolean json;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Keep logs and both runs' directories in this folder, which must not exist.")
  private @Nullable Path out;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException, InterruptedException {
    require(kills >= 0, "--kills is " + kills + ", expected 0 or more");
    require(pauses >= 0, "--pauses is " + pauses + ", expected 0 or more");
    require(longestPause > 0, "--longest-pause is " + longestPause + ", expected more than 0");
    require(teachers >= 1, "--teachers is " + teachers + ", expected 1 or more");
    require(faultEvery > 0, "--fault-every is " + faultEvery + ", expected more than 0");
    require(steps >= 0, "--steps is " + steps + ", expected 0 or more");
    int length = steps > 0 ? steps : Math.max(LEAST_STEPS, STEPS_PER_EVENT * (kills + pauses));
    GracefulStop stop = GracefulStop.install();
    Path folder = folder();
    try {
      ChaosResult result = measure(new ChaosSetup(length, teachers, seed), folder, stop);
      PrintWriter terminal = spec.commandLine().getOut();
      terminal.print(json ? result.toJson() + "\n" : result.toTable());
      terminal.flush();
      if (result.kills() < kills || result.pauses() < pauses) {
        tell("the run was over before all kills and pauses: give it more --steps");
        return ExitCode.INTERNAL.code();
      }
      return (result.identical() ? ExitCode.DONE : ExitCode.INTERNAL).code();
    } finally {
      if (out == null) {
        BenchPipelineCommand.delete(folder);
      }
    }
  }

  private ChaosResult measure(ChaosSetup setup, Path folder, GracefulStop stop)
      throws IOException, InterruptedException {
    Path quiet = setup.write(folder, "undisturbed");
    try (LocalProcesses stages =
        LocalProcesses.start(
            setup.stages(quiet),
            folder.resolve("logs"),
            LocalAddresses.ports(),
            () -> RestartBudget.more(kills))) {
      stop.onRequest(() -> stages.abandon(ExitCode.of(stop.signalExitCode())));
      List<String> addresses = stages.addresses();
      ChaosRun.Outcome undisturbed =
          run(setup, folder, "undisturbed", stages, addresses, stop, List.of(), 0);
      List<ChaosEvent> events = ChaosPlan.draw(kills, pauses, teachers, longestPause, seed);
      ChaosRun.Outcome disturbed;
      Map<String, Long> faults;
      try (FaultyNetwork network = FaultyNetwork.before(addresses, proxy, faultEvery, seed)) {
        disturbed =
            run(
                setup,
                folder,
                "disturbed",
                stages,
                network.addresses(),
                stop,
                events,
                WINDOW * undisturbed.seconds());
        faults = network.counts();
      }
      RunTrace expected = RunTrace.of(folder.resolve("undisturbed"));
      RunTrace found = RunTrace.of(folder.resolve("disturbed"));
      List<String> differences = found.differencesFrom(expected);
      return new ChaosResult(
          seed,
          setup.steps(),
          teachers,
          disturbed.kills(),
          disturbed.killsInCheckpoints(),
          disturbed.pauses(),
          faults,
          differences.isEmpty(),
          differences,
          found.weights(),
          disturbed.replayedSteps(),
          undisturbed.seconds(),
          disturbed.seconds(),
          ChaosResult.byRole(disturbed.recoveries()));
    }
  }

  private ChaosRun.Outcome run(
      ChaosSetup setup,
      Path folder,
      String name,
      LocalProcesses stages,
      List<String> addresses,
      GracefulStop stop,
      List<ChaosEvent> events,
      double window)
      throws IOException, InterruptedException {
    Path config = setup.write(folder, name);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "coordinator",
                "--go-on",
                "-c",
                config.toString(),
                "--max-steps",
                Integer.toString(setup.steps()),
                "--student",
                addresses.get(0)));
    addresses.stream().skip(1).forEach(a -> arguments.addAll(List.of("--teacher", a)));
    Path said = folder.resolve("logs").resolve(name + ".out");
    try (CoordinatorProcess coordinator =
        CoordinatorProcess.start(arguments, said, RestartBudget.more(kills))) {
      return new ChaosRun(
              folder.resolve(name), stages, coordinator, stop, what -> tell(name + ": " + what))
          .follow(events, window);
    }
  }

  private void tell(String what) {
    PrintWriter progress = spec.commandLine().getErr();
    progress.println(what);
    progress.flush();
  }

  private static void require(boolean sound, String otherwise) {
    if (!sound) {
      throw new RunException(ExitCode.USAGE, otherwise);
    }
  }

  private Path folder() throws IOException {
    if (out == null) {
      return Files.createTempDirectory("maskedkd-chaos-");
    }
    require(!Files.exists(out), out + " exists already; name another folder with --out");
    return Files.createDirectories(out);
  }
}
