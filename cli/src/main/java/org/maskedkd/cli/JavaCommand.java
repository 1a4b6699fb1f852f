package org.maskedkd.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line of another process of this program, on the same Java. */
final class JavaCommand {
  /** Folder of the jars, set by the script that starts this program. */
  private static final String LIB = "maskedkd.lib";

  private JavaCommand() {}

  /**
   * Runs {@code maskedkd ARGUMENTS}.
   *
   * @param heapMegabytes the largest Java heap; what libtorch takes comes on top
   * @param moreFlags further JVM flags, separated by blanks; they win over the ones given here
   */
  static List<String> of(int heapMegabytes, String moreFlags, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx" + heapMegabytes + "m");
    // Java picks by the number of cores it sees, which pinning changes; a fixed choice keeps runs
    // alike.
    command.add(
        Runtime.getRuntime().availableProcessors() > 2 ? "-XX:+UseG1GC" : "-XX:+UseSerialGC");
    command.add("-XX:+ExitOnOutOfMemoryError");
    command.add("-Dai.djl.offline=true");
    command.add("--enable-native-access=ALL-UNNAMED");
    String lib = System.getProperty(LIB);
    if (lib != null) {
      command.add("-D" + LIB + "=" + lib);
    }
    if (!moreFlags.isBlank()) {
      command.addAll(List.of(moreFlags.strip().split("\\s+")));
    }
    command.add("-cp");
    command.add(lib == null ? System.getProperty("java.class.path") : lib + "/*");
    command.add("org.maskedkd.cli.Main");
    command.addAll(arguments);
    return command;
  }
}
