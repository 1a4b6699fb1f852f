package org.maskedkd.student;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.LogOptions;
import org.maskedkd.runtime.Logging;
import org.maskedkd.runtime.ParentPipe;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.runtime.TlsOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The student process. */
@Command(
    name = "student-stage",
    mixinStandardHelpOptions = true,
    description =
        "Serves one student: data, forward, saliency, backward, optimizer and checkpoints, as a coordinator asks.")
public final class StudentMain implements Callable<Integer> {
  @Option(
      names = "--listen",
      defaultValue = "127.0.0.1:9090",
      paramLabel = "ADDRESS",
      description =
          "Where to serve gRPC: HOST:PORT, where port 0 takes a free one, or unix:PATH for a socket file. Default: ${DEFAULT-VALUE}")
  private String listen = "";

  @Option(
      names = "--management",
      defaultValue = "127.0.0.1:0",
      paramLabel = "HOST:PORT",
      description = "Where to serve /metrics, /livez and /readyz. Default: ${DEFAULT-VALUE}")
  private String management = "";

  @Option(
      names = "--data-root",
      defaultValue = ".",
      paramLabel = "DIR",
      description = "Data sets outside this folder are refused. Default: ${DEFAULT-VALUE}")
  private Path dataRoot = Path.of(".");

  @Option(
      names = "--run-root",
      defaultValue = "runs",
      paramLabel = "DIR",
      description = "Folder of the run directories. Default: ${DEFAULT-VALUE}")
  private Path runRoot = Path.of("runs");

  @Option(
      names = "--threads",
      defaultValue = "0",
      paramLabel = "N",
      description = "Threads of an operator where the run does not say; 0: the engine's choice.")
  private int threads;

  @Option(
      names = "--sleep",
      paramLabel = "OPERATION=SECONDS,...",
      description =
          "Sleep instead of computing, for measuring schedules: seconds per image of forward and backward, and overhead per task. optimizer is per step.")
  private @Nullable String sleep;

  @Mixin private TlsOptions tls = new TlsOptions();

  @Option(
      names = "--insecure",
      description =
          "Listen beyond loopback without TLS, although nothing is encrypted or authenticated then.")
  private boolean insecure;

  @Option(
      names = "--grace-seconds",
      defaultValue = "30",
      paramLabel = "S",
      description = "How long a stop may take after a signal. Default: ${DEFAULT-VALUE}")
  private int graceSeconds;

  @Option(
      names = "--exit-with-stdin",
      description =
          "End when standard input ends, and leave Ctrl-C to the process that started this.")
  private boolean exitWithStdin;

  @Option(names = "--log-file", paramLabel = "FILE", description = "Also write the log here.")
  private Path logFile = Path.of("");

  @Mixin private LogOptions log = new LogOptions();

  @Override
  public Integer call() throws InterruptedException {
    Logging.configure("student", "INFO", log.format());
    if (!logFile.toString().isEmpty()) {
      Logging.toFile(logFile);
    }
    StudentOptions options =
        new StudentOptions(
            listen,
            management,
            dataRoot,
            runRoot,
            tls.files(),
            insecure,
            threads,
            sleep == null ? null : SleepTimes.parse(sleep, SleepingDevice.OPERATIONS));
    int signal = ExitCode.DONE.code();
    try (StudentStage stage = StudentStage.start(options)) {
      @Nullable GracefulStop stop = null;
      if (exitWithStdin) {
        GracefulStop.leaveToParent();
        ParentPipe.watch(System.in, stage::requestShutdown);
      } else {
        stop = GracefulStop.install();
        stop.onRequest(stage::requestShutdown);
      }
      Logging.listening(stage.address(), exitWithStdin);
      stage.awaitShutdown();
      if (stop != null && stop.signalExitCode() != 0) {
        stage.drain(Duration.ofSeconds(graceSeconds));
        signal = stop.signalExitCode();
      }
    }
    return signal;
  }
}
