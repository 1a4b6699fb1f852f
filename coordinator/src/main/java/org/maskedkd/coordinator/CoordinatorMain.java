package org.maskedkd.coordinator;

import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.Logging;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The coordinator's process: leads one run against stages that are already there. */
public final class CoordinatorMain {

  private static final Logger LOG = LoggerFactory.getLogger(CoordinatorMain.class);
  private static final Duration PLAIN_LINE_EVERY = Duration.ofSeconds(10);

  private static final String USAGE =
      """
      coordinator --config FILE [--run-dir DIR] [--student HOST:PORT] [--teachers HOST:PORT,...]
                  [--resume] [--max-steps N] [--plans FILE] [--dry-run] [key=value ...]
      Addresses not given are the configuration's; the run directory is runs-dir/name.""";

  private CoordinatorMain() {}

  /** Runs and exits with the run's code. */
  public static void main(String[] args) {
    System.exit(run(args).code());
  }

  static ExitCode run(String... args) {
    try {
      return lead(Arguments.parse(args));
    } catch (RunException e) {
      LOG.debug("the run ended", e);
      System.err.println("coordinator: " + e.getMessage());
      return e.exitCode();
    } catch (RuntimeException e) {
      LOG.error("the coordinator failed: {}", e.toString(), e);
      return ExitCode.INTERNAL;
    }
  }

  private static ExitCode lead(Arguments arguments) {
    RunConfig config = ConfigLoader.load(arguments.config, arguments.overrides);
    List<String> teachers =
        arguments.teachers.isEmpty() ? config.teacher().addresses() : arguments.teachers;
    String student = arguments.student.isEmpty() ? config.student().address() : arguments.student;
    if (student.isEmpty()) {
      throw usage("no student: give --student HOST:PORT or student.address");
    }
    Path directory = arguments.runDir == null ? config.directory() : arguments.runDir;
    GracefulStop stop = GracefulStop.install();
    List<ManagedChannel> channels = new ArrayList<>();
    try {
      Peer studentPeer = peer("the student at ", student, channels);
      List<Peer> teacherPeers =
          config.distils()
              ? teachers.stream().map(t -> peer("the teacher at ", t, channels)).toList()
              : List.of();
      Progress progress =
          new Progress(System.out, onTerminal(), PLAIN_LINE_EVERY, System::nanoTime);
      TrainingRun run =
          new TrainingRun(
              config, directory, studentPeer, teacherPeers, arguments.options(), progress);
      stop.onRequest(
          () ->
              run.requestStop(
                  stop.signalExitCode() == ExitCode.INTERRUPTED.code()
                      ? ExitCode.INTERRUPTED
                      : ExitCode.TERMINATED));
      if (!arguments.dryRun) {
        Logging.toFile(directory.resolve("logs").resolve("coordinator.log"));
      }
      return run.run();
    } finally {
      channels.forEach(ManagedChannel::shutdownNow);
    }
  }

  // A console that is there says nothing of standard output, and from JDK 22 on there is always
  // one.
  private static boolean onTerminal() {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException e) {
      LOG.debug("cannot tell where standard output goes; taking it for no terminal", e);
      return false;
    }
  }

  private static Peer peer(String role, String address, List<ManagedChannel> channels) {
    ManagedChannel channel = Channels.connect(address);
    channels.add(channel);
    return new Peer(role + address, channel);
  }

  private static RunException usage(String message) {
    return new RunException(ExitCode.USAGE, message + "\n" + USAGE);
  }

  private record Arguments(
      Path config,
      @Nullable Path runDir,
      String student,
      List<String> teachers,
      boolean resume,
      long maxSteps,
      @Nullable Path plans,
      boolean dryRun,
      List<String> overrides) {

    TrainingRun.Options options() {
      return new TrainingRun.Options(resume, maxSteps, plans, dryRun);
    }

    static Arguments parse(String... args) {
      Path config = null;
      Path runDir = null;
      String student = "";
      List<String> teachers = List.of();
      boolean resume = false;
      long maxSteps = 0;
      Path plans = null;
      boolean dryRun = false;
      List<String> overrides = new ArrayList<>();
      for (Iterator<String> i = Arrays.asList(args).iterator(); i.hasNext(); ) {
        String arg = i.next();
        switch (arg) {
          case "--config" -> config = Path.of(value(arg, i));
          case "--run-dir" -> runDir = Path.of(value(arg, i));
          case "--student" -> student = value(arg, i);
          case "--teachers" ->
              teachers = Arrays.stream(value(arg, i).split(",")).filter(t -> !t.isBlank()).toList();
          case "--resume" -> resume = true;
          case "--max-steps" -> maxSteps = count(arg, value(arg, i));
          case "--plans" -> plans = Path.of(value(arg, i));
          case "--dry-run" -> dryRun = true;
          default -> {
            if (arg.startsWith("-") || arg.indexOf('=') < 1) {
              throw usage("unknown argument \"" + arg + "\"");
            }
            overrides.add(arg);
          }
        }
      }
      if (config == null) {
        throw usage("no configuration: give --config FILE");
      }
      return new Arguments(
          config, runDir, student, teachers, resume, maxSteps, plans, dryRun, overrides);
    }

    private static String value(String option, Iterator<String> rest) {
      if (!rest.hasNext()) {
        throw usage(option + " needs a value");
      }
      return rest.next();
    }

    private static long count(String option, String value) {
      try {
        long count = Long.parseLong(value);
        if (count > 0) {
          return count;
        }
      } catch (NumberFormatException e) {
        LOG.debug("{} is no number", value, e);
      }
      throw usage(option + " is \"" + value + "\", expected a number of steps from 1 on");
    }
  }
}
