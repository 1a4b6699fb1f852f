package org.maskedkd.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Another Java process, and what the system says of it. Ends with this object. */
final class ChildProcess implements AutoCloseable {
  private final Process process;

  ChildProcess(List<String> flags, String classPath, String main, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.addAll(List.of("-cp", classPath, main));
    command.addAll(arguments);
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads the process's output up to the line that begins with {@code prefix}; gives its rest. */
  String awaitLine(String prefix) {
    try {
      // Not closed: the process would fail at its next line.
      var lines = process.inputReader(StandardCharsets.UTF_8);
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith(prefix)) {
          return line.substring(prefix.length());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new IllegalStateException("the process ended without the line '" + prefix + "...'");
  }

  /** Its exit code. What it prints meanwhile is dropped. */
  int await() throws InterruptedException {
    process.inputReader(StandardCharsets.UTF_8).lines().forEach(line -> {});
    return process.waitFor();
  }

  /** CPU seconds, of the process's own code and of the kernel's for it. */
  record Cpu(double user, double system) {
    static final Cpu NONE = new Cpu(0, 0);

    Cpu plus(Cpu other) {
      return new Cpu(user + other.user, system + other.system);
    }

    Cpu minus(Cpu other) {
      return new Cpu(user - other.user, system - other.system);
    }
  }

  /** CPU time so far per thread name, those of ended threads not included. */
  Map<String, Cpu> cpuByThread() {
    Map<String, Cpu> seconds = new TreeMap<>();
    try (Stream<Path> threads = Files.list(proc("task"))) {
      for (Path thread : (Iterable<Path>) threads::iterator) {
        // "id (name) state ...": user and system ticks are the 14th and 15th field.
        String stat = Files.readString(thread.resolve("stat"));
        String name = stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        String[] rest = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        Cpu spent = new Cpu(Double.parseDouble(rest[11]) / 100, Double.parseDouble(rest[12]) / 100);
        seconds.merge(name, spent, Cpu::plus);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return seconds;
  }

  /** The most memory it ever had resident, in MiB. */
  double peakResidentMiB() {
    try (Stream<String> lines = Files.lines(proc("status"))) {
      return lines
              .filter(line -> line.startsWith("VmHWM:"))
              .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")))
              .findFirst()
              .orElse(Double.NaN)
          / 1024;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether a file whose path holds {@code part} is mapped into its memory. */
  boolean maps(String part) {
    try (Stream<String> lines = Files.lines(proc("maps"))) {
      return lines.anyMatch(line -> line.contains(part));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path proc(String file) {
    return Path.of("/proc", Long.toString(process.pid()), file);
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
