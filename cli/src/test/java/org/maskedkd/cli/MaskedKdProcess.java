package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * {@code maskedkd ARGUMENTS} as a process of the operating system. What it writes is collected, so
 * that a failed expectation shows it.
 */
final class MaskedKdProcess implements AutoCloseable {
  /** Only a process that hangs needs as long; machines differ too much for less. */
  static final Duration PATIENCE = Duration.ofMinutes(5);

  /**
   * Short runs spend most of their time starting, which the first compiler alone does fastest. The
   * heap has all its memory from the beginning, so that what a process grows by is not heap.
   */
  private static final String FLAGS =
      "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms96m -Xmx96m -XX:+AlwaysPreTouch";

  private static final int INTERRUPT = 2;
  private static final int TERMINATE = 15;
  private static final int KILL = 9;
  private static final int FREEZE = 19;
  private static final int THAW = 18;

  /** What a failed test left running must not outlive the suite. */
  private static final Set<MaskedKdProcess> STARTED = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> STARTED.forEach(MaskedKdProcess::close)));
  }

  private final List<String> arguments;
  private final Process process;
  private final StringBuilder said = new StringBuilder();
  private final List<Thread> readers = new ArrayList<>();

  private MaskedKdProcess(List<String> arguments, Process process) {
    this.arguments = arguments;
    this.process = process;
    read(process.getInputStream());
    read(process.getErrorStream());
    STARTED.add(this);
  }

  /** Starts it in {@code folder}, which relative paths start from. */
  static MaskedKdProcess start(Path folder, String... arguments) {
    ProcessBuilder builder =
        new ProcessBuilder(JavaCommand.of(96, FLAGS, List.of(arguments)))
            .directory(folder.toFile());
    builder.environment().put("MASKEDKD_STUDENT_JAVA_OPTS", FLAGS);
    builder.environment().put("MASKEDKD_TEACHER_JAVA_OPTS", FLAGS);
    builder.environment().put("OMP_NUM_THREADS", "1");
    try {
      return new MaskedKdProcess(List.of(arguments), builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void read(InputStream stream) {
    Thread reader =
        new Thread(
            () -> {
              try (BufferedReader lines =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                  synchronized (said) {
                    said.append(line).append('\n');
                  }
                }
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            },
            "output of " + arguments.get(0));
    reader.setDaemon(true);
    reader.start();
    readers.add(reader);
  }

  /** Standard output and standard error so far. */
  String said() {
    synchronized (said) {
      return said.toString();
    }
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Waits for the end and for everything that was said until then. */
  int exitCode() {
    try {
      if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        close();
        throw new AssertionError(this + " did not end; it said:\n" + said());
      }
      for (Thread reader : readers) {
        reader.join(PATIENCE.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    return process.exitValue();
  }

  /** Waits for the end, which must come with this code. */
  MaskedKdProcess endsWith(int code) {
    assertThat(exitCode()).as("exit code of %s, which said:\n%s", this, said()).isEqualTo(code);
    return this;
  }

  /** Waits for a line with {@code text} in it and gives what follows it on that line. */
  String awaitText(String text) {
    await("'" + text + "' from " + this)
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(10))
        .until(
            () -> {
              if (!isAlive() && !said().contains(text)) {
                throw new AssertionError(
                    this + " ended without '" + text + "'; it said:\n" + said());
              }
              return said().contains(text);
            });
    String rest = said().substring(said().indexOf(text) + text.length());
    return rest.lines().findFirst().orElse("").strip();
  }

  void interrupt() {
    interrupt(pid());
  }

  static void interrupt(long pid) {
    signal(INTERRUPT, pid);
  }

  void terminate() {
    terminate(pid());
  }

  static void terminate(long pid) {
    signal(TERMINATE, pid);
  }

  void kill() {
    kill(pid());
  }

  static void kill(long pid) {
    signal(KILL, pid);
  }

  /** Takes the process's time away, as a machine that swaps would. */
  static void freeze(long pid) {
    signal(FREEZE, pid);
  }

  static void thaw(long pid) {
    signal(THAW, pid);
  }

  private static void signal(int number, long pid) {
    try {
      Process kill =
          new ProcessBuilder("kill", "-" + number, Long.toString(pid))
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      kill.waitFor();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static void awaitEndOf(Iterable<Long> pids) {
    for (long pid : pids) {
      await("the end of process " + pid)
          .atMost(PATIENCE)
          .pollInterval(Duration.ofMillis(20))
          .until(() -> !isAlive(pid));
    }
  }

  static boolean isAlive(long pid) {
    return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }

  /** Ends it, and with it the stages that it started, whatever state a failed test left it in. */
  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  @Override
  public String toString() {
    return "maskedkd " + String.join(" ", arguments);
  }
}
