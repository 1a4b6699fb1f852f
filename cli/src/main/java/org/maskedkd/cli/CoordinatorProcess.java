package org.maskedkd.cli;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** A coordinator as a process of its own, started again when it dies, as a cluster would. */
final class CoordinatorProcess implements AutoCloseable {
  private static final int TAIL_CHARACTERS = 2000;

  private final List<String> command;
  private final Path said;
  private final RestartBudget restarts;
  private final CompletableFuture<Integer> end = new CompletableFuture<>();
  private @Nullable Process process;
  private boolean closing;

  private CoordinatorProcess(List<String> command, Path said, RestartBudget restarts) {
    this.command = command;
    this.said = said;
    this.restarts = restarts;
  }

  /**
   * Starts it.
   *
   * @param arguments of {@code maskedkd}, with {@code --go-on} among them
   * @param said gets what it prints
   */
  static CoordinatorProcess start(List<String> arguments, Path said, RestartBudget restarts) {
    CoordinatorProcess started =
        new CoordinatorProcess(JavaCommand.ofCoordinator(arguments), said, restarts);
    Thread watcher = new Thread(started::watch, "watch-coordinator");
    watcher.setDaemon(true);
    watcher.start();
    return started;
  }

  private void watch() {
    try {
      int code;
      do {
        Process running;
        synchronized (this) {
          if (closing) {
            end.complete(ExitCode.INTERRUPTED.code());
            return;
          }
          running =
              new ProcessBuilder(command)
                  .redirectErrorStream(true)
                  .redirectOutput(Redirect.appendTo(said.toFile()))
                  .start();
          process = running;
        }
        code = running.waitFor();
      } while (!StageProcess.FINAL.contains(code) && restarts.take());
      end.complete(code);
    } catch (IOException e) {
      end.completeExceptionally(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      end.completeExceptionally(e);
    }
  }

  /** Its process, the last one if it was started again; 0 before the first start. */
  synchronized long pid() {
    return process == null ? 0 : process.pid();
  }

  /**
   * Whether the run has come to its end.
   *
   * @throws RunException with what it said, when it ended otherwise
   */
  boolean done() throws IOException, InterruptedException {
    if (!end.isDone()) {
      return false;
    }
    try {
      int code = end.get();
      if (code != ExitCode.DONE.code()) {
        String all = Files.readString(said);
        throw new RunException(
            ExitCode.of(code),
            "the coordinator ended with exit code %d; it said: %s; its output is %s"
                .formatted(
                    code,
                    all.substring(Math.max(0, all.length() - TAIL_CHARACTERS)).strip(),
                    said));
      }
      return true;
    } catch (ExecutionException e) {
      throw new RunException(ExitCode.INTERNAL, "cannot start a coordinator: " + e.getCause(), e);
    }
  }

  /** Ends it at once, if it has not ended. */
  @Override
  public void close() {
    synchronized (this) {
      closing = true;
      if (process != null) {
        process.destroyForcibly();
      }
    }
  }
}
