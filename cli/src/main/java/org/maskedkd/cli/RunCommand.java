package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.Progress;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.coordinator.RunDirectory;
import org.maskedkd.coordinator.TrainingRun;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.LogContext;
import org.maskedkd.runtime.LogFormat;
import org.maskedkd.runtime.LogOptions;
import org.maskedkd.runtime.Logging;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.StageName;
import org.maskedkd.runtime.Tls;
import org.maskedkd.runtime.TlsFiles;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Leads a run from this process, which is its coordinator and holds no tensor library. */
abstract class RunCommand implements Callable<Integer> {
  private static final Logger log = LoggerFactory.getLogger(RunCommand.class);
  private static final Duration LINE_WITHOUT_TERMINAL = Duration.ofSeconds(10);
  private static final int REPORT_HEAP_MEGABYTES = 512;

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      description = "The run's configuration, YAML.")
  private @Nullable Path file;

  @Parameters(
      paramLabel = "key=value",
      arity = "0..*",
      description = "Overrides, such as schedule.epochs=5.")
  private List<String> overrides = List.of();

  @Option(
      names = "--resume",
      paramLabel = "RUN_DIR",
      description = "Go on with a run; its own configuration is read unless -c names another.")
  private @Nullable Path resume;

  @Option(
      names = "--go-on",
      description =
          "Go on with the run of this name if it has begun, else begin it, once no other process"
              + " leads it: for a supervisor that starts this command again when its process has"
              + " died.")
  private boolean goOn;

  @Option(
      names = "--max-steps",
      defaultValue = "0",
      paramLabel = "N",
      description = "End after step N of the run; 0: at its own end.")
  private long maxSteps;

  @Option(
      names = "--grace-seconds",
      defaultValue = "30",
      paramLabel = "S",
      description =
          "How long a stop may take: a step that is not done after half of it is given up."
              + " Default: ${DEFAULT-VALUE}")
  private int graceSeconds;

  @Mixin private LogOptions logOptions = new LogOptions();

  @Option(names = "--dry-run", description = "Open and check everything, estimate, train nothing.")
  private boolean dryRun;

  @Option(
      names = "--plans",
      paramLabel = "FILE",
      description = "Replay the plans of another run's plans.jsonl.")
  private @Nullable Path plans;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "The run's name; the same as name=NAME.")
  private @Nullable String name;

  @Option(
      names = "--runs-dir",
      paramLabel = "DIR",
      description = "Folder of the run directories; the same as runs-dir=DIR.")
  private @Nullable Path runsDir;

  @Option(
      names = "--management",
      paramLabel = "HOST:PORT",
      description =
          "Serve /readyz (whether the run gets on, and why not), /livez and /metrics here, and those"
              + " of stages that are started here on the ports that follow, the student's first; not"
              + " served by default.")
  private @Nullable String management;

  @Option(
      names = "--linger-seconds",
      defaultValue = "0",
      paramLabel = "S",
      description =
          "How long --management is still served once the run has ended, whatever its end, so that a"
              + " scraper gets the last numbers; a signal ends it. Default: ${DEFAULT-VALUE}")
  private int lingerSeconds;

  /** Overrides that this command's own options stand for. */
  abstract List<String> ownOverrides();

  /** Whether stages without an address are started here. */
  abstract boolean startsStages();

  /** Whether teachers that were not started here are to end with the run. */
  abstract boolean endsTeachers();

  @Override
  public final Integer call() throws InterruptedException {
    Logging.configure("coordinator", "INFO", logOptions.format());
    if (maxSteps < 0) {
      throw new RunException(ExitCode.USAGE, "--max-steps is " + maxSteps + ", expected 0 or more");
    }
    if (graceSeconds < 1) {
      throw new RunException(
          ExitCode.USAGE, "--grace-seconds is " + graceSeconds + ", expected 1 or more");
    }
    if (lingerSeconds < 0) {
      throw new RunException(
          ExitCode.USAGE, "--linger-seconds is " + lingerSeconds + ", expected 0 or more");
    }
    StageName.keepNothing();
    RunConfig config = config();
    LogContext.run(config.name());
    List<StageSpec> stages =
        LocalProcesses.stagesOf(config).stream()
            .map(stage -> stage.with(List.of("--log-format", logOptions.format().name())))
            .toList();
    if (!startsStages() && !stages.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "no address is given of: "
              + String.join(", ", stages.stream().map(StageSpec::name).toList())
              + "; this command starts no stages, name the running ones or use train");
    }
    RunConfig.Tls files = config.tls();
    try (Tls tls = Tls.open(TlsFiles.of(files.certificate(), files.key(), files.authority()))) {
      return run(config, stages, tls).code();
    }
  }

  private ExitCode run(RunConfig config, List<StageSpec> stages, @Nullable Tls tls)
      throws InterruptedException {
    Path directory = config.directory();
    if (goOn && !dryRun) {
      RunDirectory.awaitFree(
          directory, () -> log.warn("{} is in use by another coordinator; waiting", directory));
    }
    boolean resumes = resume != null || (goOn && RunDirectory.exists(directory));
    if (!dryRun) {
      // Said before stages are started and anything is written into a run that another process
      // leads.
      (resumes ? RunDirectory.resume(directory) : RunDirectory.create(directory)).close();
    }
    Path logs = dryRun ? temporaryFolder() : directory.resolve("logs");
    Logging.toFile(logs.resolve("coordinator.log"));
    GracefulStop stop = GracefulStop.install();
    ExitCode code;
    try (Monitor monitor = new Monitor(management)) {
      try (LocalProcesses processes = LocalProcesses.start(observed(stages), logs)) {
        stop.onRequest(() -> processes.abandon(ExitCode.of(stop.signalExitCode())));
        code = lead(config, RunPeers.addresses(config, processes), resumes, tls, monitor, stop);
      } finally {
        monitor.linger(Duration.ofSeconds(lingerSeconds), stop);
      }
    }
    if (code == ExitCode.DONE && startsStages() && !dryRun) {
      report(directory, logs);
    }
    return code;
  }

  /** The stages with the ports behind this process's for their own metrics. */
  private List<StageSpec> observed(List<StageSpec> stages) {
    String first = management;
    if (first == null) {
      return stages;
    }
    List<StageSpec> observed = new ArrayList<>();
    for (StageSpec stage : stages) {
      String next = Management.following(first, observed.size() + 1);
      observed.add(stage.with(List.of("--management", next)));
    }
    return observed;
  }

  /** In a process of its own, because this one has neither the models nor much memory. */
  private static void report(Path directory, Path logs) throws InterruptedException {
    ProcessBuilder report =
        new ProcessBuilder(
                JavaCommand.of(REPORT_HEAP_MEGABYTES, "", List.of("report", directory.toString())))
            .inheritIO();
    if (Logging.format() == LogFormat.JSON) {
      report.redirectErrorStream(true).redirectOutput(logs.resolve("report.log").toFile());
    }
    try {
      int code = report.start().waitFor();
      if (code != ExitCode.DONE.code()) {
        log.warn("the run is done, but its report ended with exit code {}", code);
      }
    } catch (IOException e) {
      log.warn("the run is done, but its report could not be started", e);
    }
  }

  private RunConfig config() {
    List<String> all = new ArrayList<>(overrides);
    all.addAll(ownOverrides());
    Path source = file;
    if (resume != null) {
      Path directory = resume.toAbsolutePath().normalize();
      Path parent = directory.getParent();
      if (parent == null || name != null || runsDir != null) {
        throw new RunException(
            ExitCode.USAGE,
            "--resume " + resume + " names the run already; leave --name and --runs-dir out");
      }
      all.add("name=" + quoted(directory.getFileName().toString()));
      all.add("runs-dir=" + quoted(parent.toString()));
      if (source == null) {
        RunDirectory.resume(directory).close();
        source = directory.resolve("config.yaml");
      }
    }
    if (name != null) {
      all.add("name=" + quoted(name));
    }
    if (runsDir != null) {
      all.add("runs-dir=" + quoted(runsDir.toString()));
    }
    if (source == null) {
      throw new RunException(
          ExitCode.USAGE, "no configuration is named; expected -c FILE or --resume RUN_DIR");
    }
    RunConfig config = ConfigLoader.load(source, all);
    if (startsStages()) {
      all.addAll(absolutePaths(config));
    }
    all.addAll(absoluteTls(config.tls()));
    return ConfigLoader.load(source, all);
  }

  /**
   * Overrides of the paths that stages started here are given. Such a student takes them from any
   * folder, and the run may go on from another working directory: they must depend on neither.
   */
  static List<String> absolutePaths(RunConfig config) {
    List<String> overrides = new ArrayList<>();
    if (config.student().address().isEmpty()) {
      overrides.add("data.root=" + absolute(config.data().root()));
      if (!config.student().init().isEmpty()) {
        overrides.add("student.init=" + absolute(config.student().init()));
      }
      if (!config.masking().weights().isEmpty()) {
        overrides.add("masking.weights=" + absolute(config.masking().weights()));
      }
    }
    String weights = config.teacher().weights();
    if (config.teacher().addresses().isEmpty()
        && !weights.isEmpty()
        && !weights.startsWith("random:")) {
      overrides.add("teacher.weights=" + absolute(weights));
    }
    return overrides;
  }

  /** The run may go on from another working directory. */
  private static List<String> absoluteTls(RunConfig.Tls tls) {
    return tls.certificate().isEmpty()
        ? List.of()
        : List.of(
            "tls.certificate=" + absolute(tls.certificate()),
            "tls.key=" + absolute(tls.key()),
            "tls.authority=" + absolute(tls.authority()));
  }

  private static String absolute(String path) {
    return quoted(Path.of(path).toAbsolutePath().normalize().toString());
  }

  /** As YAML text, whatever characters are in it. */
  static String quoted(String value) {
    return "'" + value.replace("'", "''") + "'";
  }

  /** Leads the run, and has the teachers end with it where that is wanted. */
  private ExitCode lead(
      RunConfig config,
      RunPeers.Addresses addresses,
      boolean resumes,
      @Nullable Tls tls,
      Monitor monitor,
      GracefulStop stop) {
    List<String> toEnd = endsTeachers() && !dryRun ? addresses.teachers() : List.of();
    ExitCode code;
    try {
      code = train(config, addresses, resumes, tls, monitor, stop);
    } catch (RunException e) {
      if (StageProcess.FINAL.contains(e.exitCode().code())) {
        StageShutdown.askTeachers(toEnd, tls);
      }
      throw e;
    }
    if (code == ExitCode.DONE) {
      StageShutdown.askTeachers(toEnd, tls);
    }
    return code;
  }

  private ExitCode train(
      RunConfig config,
      RunPeers.Addresses addresses,
      boolean resumes,
      @Nullable Tls tls,
      Monitor monitor,
      GracefulStop stop) {
    NetworkLoop network = new NetworkLoop(monitor.metrics());
    try (RunPeers peers = new RunPeers(config, addresses, tls, network)) {
      TrainingRun run =
          new TrainingRun(
              config,
              config.directory(),
              peers.student(),
              peers.teachers(),
              new TrainingRun.Options(resumes, maxSteps, plans, dryRun),
              progress(),
              monitor,
              monitor.metrics(),
              network);
      stop.onRequest(
          () -> {
            log.info("asked to stop: a step under way is finished first; once more to end at once");
            run.requestStop(ExitCode.of(stop.signalExitCode()), Duration.ofSeconds(graceSeconds));
          });
      return run.run();
    } finally {
      network.close();
    }
  }

  private static Progress progress() {
    return Logging.format() == LogFormat.JSON
        ? Progress.logged(LINE_WITHOUT_TERMINAL, System::nanoTime)
        : new Progress(System.out, Progress.onTerminal(), LINE_WITHOUT_TERMINAL, System::nanoTime);
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("maskedkd-dry-run-");
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot make a temporary folder: " + e, e);
    }
  }
}
