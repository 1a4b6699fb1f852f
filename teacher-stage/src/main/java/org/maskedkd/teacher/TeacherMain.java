package org.maskedkd.teacher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.LogOptions;
import org.maskedkd.runtime.Logging;
import org.maskedkd.runtime.ParentPipe;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.runtime.TlsOptions;
import org.maskedkd.tensor.Precision;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The teacher process. */
@Command(
    name = "teacher-stage",
    mixinStandardHelpOptions = true,
    description =
        "Serves one frozen teacher: kept patches in, logits out. Several runs may share it.")
public final class TeacherMain implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "MODEL",
      description = "A zoo name such as deit_base_patch16_224, or vit:image=32,patch=4,...")
  private String model = "";

  @Option(
      names = "--weights",
      required = true,
      paramLabel = "FILE",
      description =
          "Weights with timm's names, .safetensors; or random:SEED to measure speed without any.")
  private String weights = "";

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "M",
      description = "Mean per channel, for pixels scaled to 0..1. Default: the model's.")
  private List<Double> mean = List.of();

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "S",
      description = "Standard deviation per channel. Default: the model's.")
  private List<Double> std = List.of();

  @Option(
      names = "--precision",
      defaultValue = "fp32",
      paramLabel = "P",
      description = "fp32 or bf16. Default: ${DEFAULT-VALUE}")
  private String precision = "";

  @Option(
      names = "--threads",
      defaultValue = "0",
      paramLabel = "N",
      description = "Threads of an operator; 0: the engine's choice.")
  private int threads;

  @Option(
      names = "--listen",
      defaultValue = "127.0.0.1:9091",
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
      names = "--max-micro-batch-bytes",
      defaultValue = "268435456",
      paramLabel = "BYTES",
      description = "Larger micro-batches are refused. Default: ${DEFAULT-VALUE}")
  private long maxMicroBatchBytes;

  @Option(
      names = "--max-runs",
      defaultValue = "64",
      paramLabel = "N",
      description = "Serve at most so many runs at once. Default: ${DEFAULT-VALUE}")
  private int maxRuns;

  @Option(
      names = "--drain-seconds",
      defaultValue = "20",
      paramLabel = "S",
      description =
          "When asked to end, let runs have the answers they wait for, for at most so long."
              + " Default: ${DEFAULT-VALUE}")
  private int drainSeconds;

  @Option(
      names = "--idle-seconds",
      defaultValue = "0",
      paramLabel = "S",
      description =
          "End with exit code 69 when no run was here for so long; 0: never. Default: ${DEFAULT-VALUE}")
  private int idleSeconds;

  @Option(
      names = "--sleep",
      paramLabel = "OPERATION=SECONDS,...",
      description =
          "Sleep instead of computing, for measuring schedules: seconds per image of teacher, and overhead per task.")
  private @Nullable String sleep;

  @Mixin private TlsOptions tls = new TlsOptions();

  @Option(
      names = "--insecure",
      description =
          "Listen beyond loopback without TLS, although nothing is encrypted or authenticated then.")
  private boolean insecure;

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
    Logging.configure("teacher", "INFO", log.format());
    if (!logFile.toString().isEmpty()) {
      Logging.toFile(logFile);
    }
    TeacherOptions options =
        new TeacherOptions(
            listen,
            management,
            model,
            weights,
            mean,
            std,
            parsePrecision(precision),
            threads,
            maxMicroBatchBytes,
            maxRuns,
            Duration.ofSeconds(drainSeconds),
            idle(idleSeconds),
            tls.files(),
            insecure,
            sleep == null ? null : SleepTimes.parse(sleep, SleepingTeacher.OPERATIONS));
    int signal = ExitCode.DONE.code();
    try (TeacherStage stage = TeacherStage.start(options)) {
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
        signal = stop.signalExitCode();
      }
    }
    return signal;
  }

  private static Duration idle(int seconds) {
    if (seconds < 0) {
      throw new RunException(
          ExitCode.USAGE, "--idle-seconds is " + seconds + ", expected 0 or more");
    }
    return Duration.ofSeconds(seconds);
  }

  private static Precision parsePrecision(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "fp32" -> Precision.FP32;
      case "bf16" -> Precision.BF16;
      default ->
          throw new IllegalArgumentException(
              "--precision must be fp32 or bf16, found '" + text + "'");
    };
  }
}
