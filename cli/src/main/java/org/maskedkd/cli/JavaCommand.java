package org.maskedkd.cli;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** The command line of another process of this program, on the same Java. */
final class JavaCommand {
  /** Folder of the jars, set by the script that starts this program. */
  private static final String LIB = "maskedkd.lib";

  private static final int COORDINATOR_HEAP_MEGABYTES = 512;

  private JavaCommand() {}

  /**
   * Runs {@code maskedkd ARGUMENTS} with the tensor library.
   *
   * @param heapMegabytes the largest Java heap; what libtorch takes comes on top
   * @param moreFlags further JVM flags, separated by blanks; they win over the ones given here
   */
  static List<String> of(int heapMegabytes, String moreFlags, List<String> arguments) {
    String lib = System.getProperty(LIB);
    String classPath = lib == null ? System.getProperty("java.class.path") : lib + "/*";
    return command(heapMegabytes, moreFlags, classPath, "org.maskedkd.cli.Main", arguments);
  }

  /** Runs {@code maskedkd ARGUMENTS}, which lead a run, without the tensor library. */
  static List<String> ofCoordinator(List<String> arguments) {
    String lib = System.getProperty(LIB);
    String classPath =
        lib == null
            ? System.getProperty("java.class.path")
            : lib + "/cli.jar" + File.pathSeparator + coordinatorJars(Path.of(lib));
    return command(
        COORDINATOR_HEAP_MEGABYTES, "", classPath, "org.maskedkd.cli.CoordinatorMain", arguments);
  }

  /**
   * The command with only some of the cores to run on. On a single one Java's optimizing compiler
   * is left out: for minutes it would take its turns from the models, which are not compiled by it.
   *
   * @param cores such as {@code 0} or {@code 0,2-3}; empty for all
   */
  static List<String> pinned(String cores, List<String> command) {
    if (cores.isEmpty()) {
      return command;
    }
    List<String> pinned = new ArrayList<>(List.of("taskset", "-c", cores));
    pinned.add(command.get(0));
    if (cores.matches("\\d+")) {
      pinned.add("-XX:TieredStopAtLevel=1");
    }
    pinned.addAll(command.subList(1, command.size()));
    return pinned;
  }

  /** The command with the lowest priority that the system has for a process. */
  static List<String> givingWay(List<String> command) {
    List<String> nice = new ArrayList<>(List.of("nice", "-n", "19"));
    nice.addAll(command);
    return nice;
  }

  /** The list that the build leaves beside the jars. */
  private static String coordinatorJars(Path lib) {
    Path list = lib.resolveSibling("coordinator.classpath");
    try {
      return Files.readString(list).strip().replace("@LIB@", lib.toString());
    } catch (IOException e) {
      throw new RunException(
          ExitCode.INTERNAL, "the build is incomplete, " + list + " cannot be read: " + e, e);
    }
  }

  /** Those that the script that starts this program gives too. */
  private static List<String> sharedOptions() {
    try (InputStream file =
        Objects.requireNonNull(JavaCommand.class.getResourceAsStream("jvm.options"))) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#"))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> command(
      int heapMegabytes,
      String moreFlags,
      String classPath,
      String mainClass,
      List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx" + heapMegabytes + "m");
    // Java picks by the number of cores it sees, which pinning changes; a fixed choice keeps runs
    // alike.
    command.add(
        Runtime.getRuntime().availableProcessors() > 2 ? "-XX:+UseG1GC" : "-XX:+UseSerialGC");
    command.addAll(sharedOptions());
    String lib = System.getProperty(LIB);
    if (lib != null) {
      command.add("-D" + LIB + "=" + lib);
      Path natives = Path.of(lib).resolveSibling("native");
      if (Files.isDirectory(natives)) {
        command.add("-Djava.library.path=" + natives);
        command.add("-Djna.boot.library.path=" + natives);
      }
    }
    if (!moreFlags.isBlank()) {
      command.addAll(List.of(moreFlags.strip().split("\\s+")));
    }
    command.add("-cp");
    command.add(classPath);
    command.add(mainClass);
    command.addAll(arguments);
    return command;
  }
}
