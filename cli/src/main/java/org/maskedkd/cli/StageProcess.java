package org.maskedkd.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.Channels;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One stage as a process of its own. It dies with this process, because its standard input is a
 * pipe that ends then; if it dies alone it is started again on the same address, so the
 * coordinator's retries find it.
 */
final class StageProcess {
  private static final Logger log = LoggerFactory.getLogger(StageProcess.class);
  private static final String LISTENING = "listening ";
  private static final int TAIL_CHARACTERS = 2000;

  /** Ends that another start would only repeat. */
  static final Set<Integer> FINAL =
      Set.of(
          ExitCode.DONE.code(),
          ExitCode.USAGE.code(),
          ExitCode.BAD_DATA.code(),
          ExitCode.CANNOT_WRITE.code(),
          ExitCode.INCOMPATIBLE.code());

  private final StageSpec spec;
  private final String listen;
  private final Path logs;
  private final RestartBudget restarts;
  private final CompletableFuture<String> address = new CompletableFuture<>();
  private final Thread watcher;
  private @Nullable Process process;
  private boolean closing;

  private StageProcess(StageSpec spec, String listen, Path logs, RestartBudget restarts) {
    this.spec = spec;
    this.listen = listen;
    this.logs = logs;
    this.restarts = restarts;
    this.watcher = new Thread(this::watch, "watch-" + spec.name());
    watcher.setDaemon(true);
  }

  /**
   * Starts the process without waiting until it serves.
   *
   * @param listen where it is to serve
   * @param restarts how often it is started again
   */
  static StageProcess start(StageSpec spec, String listen, Path logs, RestartBudget restarts) {
    StageProcess stage = new StageProcess(spec, listen, logs, restarts);
    stage.watcher.start();
    return stage;
  }

  /**
   * The address it serves on, as soon as it does.
   *
   * @throws RunException with the stage's own exit code and words when it ended instead
   */
  String address(Duration patience) throws InterruptedException {
    try {
      return address.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw Failures.fromStatus(e, "the " + spec.name() + " process");
    } catch (TimeoutException e) {
      throw new RunException(
          ExitCode.PEER_AWAY,
          "the %s process did not serve within %d s; its log is %s"
              .formatted(spec.name(), patience.toSeconds(), logFile()),
          e);
    }
  }

  /** Its process, the last one if it was started again; 0 before the first start. */
  synchronized long pid() {
    return process == null ? 0 : process.pid();
  }

  /** Lets {@link #address} end with {@code code}, if it still waits. */
  void abandon(ExitCode code) {
    address.completeExceptionally(new RunException(code, "stopped before the first step"));
  }

  /** Asks it to stop. */
  void requestStop() {
    synchronized (this) {
      closing = true;
    }
    if (!address.isDone() || address.isCompletedExceptionally()) {
      return;
    }
    StageShutdown.ask(spec.role(), spec.name(), Channels.connect(address.join()));
  }

  /** Waits until it has ended, and ends it when that takes too long. */
  void awaitStop(Duration patience) throws InterruptedException {
    Process running;
    synchronized (this) {
      running = process;
    }
    if (running == null) {
      return;
    }
    try {
      // Reaches also a stage that was just started again and serves nothing yet.
      running.getOutputStream().close();
    } catch (IOException e) {
      log.debug("the pipe to {} was closed already", spec.name(), e);
    }
    if (running.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
      return;
    }
    log.warn("{} did not stop within {} s and is ended", spec.name(), patience.toSeconds());
    // It is deaf to anything milder.
    running.destroyForcibly().waitFor();
  }

  private void watch() {
    try {
      while (true) {
        Path err = logs.resolve(spec.name() + ".err");
        long before = Files.exists(err) ? Files.size(err) : 0;
        int code = runOnce(err);
        synchronized (this) {
          if (closing) {
            address.completeExceptionally(
                new RunException(ExitCode.INTERRUPTED, spec.name() + " was stopped"));
            return;
          }
        }
        if (!address.isDone()) {
          address.completeExceptionally(endedEarly(code, tail(err, before)));
          return;
        }
        if (FINAL.contains(code) || !restarts.take()) {
          log.error("{} ended with exit code {}: {}", spec.name(), code, tail(err, before));
          return;
        }
        log.warn(
            "{} ended with exit code {} and is started again; its log is {}",
            spec.name(),
            code,
            logFile());
      }
    } catch (IOException e) {
      address.completeExceptionally(
          new RunException(
              ExitCode.INTERNAL, "cannot start the %s process: %s".formatted(spec.name(), e), e));
      log.error("cannot start {}", spec.name(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private int runOnce(Path err) throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>();
    arguments.add(spec.role().command);
    arguments.addAll(spec.arguments());
    // A restarted stage must be found where it was.
    String wanted =
        address.isDone() && !address.isCompletedExceptionally() ? address.join() : listen;
    arguments.addAll(
        List.of("--listen", wanted, "--exit-with-stdin", "--log-file", logFile().toString()));
    String flags = System.getenv().getOrDefault(spec.role().flagsVariable, "");
    List<String> command =
        JavaCommand.pinned(
            spec.cores(), JavaCommand.of(spec.role().heapMegabytes, flags, arguments));
    ProcessBuilder builder =
        new ProcessBuilder(spec.givesWay() ? JavaCommand.givingWay(command) : command);
    builder.environment().put("OMP_NUM_THREADS", Integer.toString(spec.threads()));
    builder.redirectError(Redirect.appendTo(err.toFile()));
    Process started;
    synchronized (this) {
      if (closing) {
        return ExitCode.DONE.code();
      }
      started = builder.start();
      process = started;
    }
    log.debug("{} is process {}: {}", spec.name(), started.pid(), builder.command());
    try (BufferedReader lines = started.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith(LISTENING)) {
          address.complete(line.substring(LISTENING.length()).strip());
        } else {
          log.debug("{}: {}", spec.name(), line);
        }
      }
    }
    return started.waitFor();
  }

  private RunException endedEarly(int code, String said) {
    // Ending before it served is a failure, whatever it says.
    ExitCode exit = code == ExitCode.DONE.code() ? ExitCode.INTERNAL : ExitCode.of(code);
    return new RunException(
        exit,
        "the %s process ended with exit code %d before it served; it said: %s; its log is %s"
            .formatted(spec.name(), code, said.isEmpty() ? "nothing" : said, logFile()));
  }

  private Path logFile() {
    return logs.resolve(spec.name() + ".log");
  }

  /** What was written behind {@code from}, or its end if that is much. */
  private static String tail(Path file, long from) throws IOException {
    byte[] all = Files.readAllBytes(file);
    int start = (int) Math.max(Math.min(from, all.length), all.length - (long) TAIL_CHARACTERS);
    return new String(all, start, all.length - start, StandardCharsets.UTF_8).strip();
  }
}
