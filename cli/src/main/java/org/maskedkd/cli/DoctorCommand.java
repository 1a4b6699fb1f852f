package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.maskedkd.data.Decoders;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Whether this machine can run the stages. */
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description =
        "Checks Java, the native libraries, the processor, memory, ports and disk; exits 70 when something is wrong.")
final class DoctorCommand implements Callable<Integer> {
  private static final long LEAST_MEMORY_BYTES = 2L << 30;
  private static final long LEAST_DISK_BYTES = 1L << 30;

  @Spec private CommandSpec spec = CommandSpec.create();
  private final List<String> wrong = new ArrayList<>();

  /** One thing that is looked at; what it returns is shown, and an exception is what is wrong. */
  private interface Check {
    String look() throws Exception;
  }

  @Override
  public Integer call() {
    look("java", DoctorCommand::java);
    look("memory", DoctorCommand::memory);
    look("libtorch", DoctorCommand::libtorch);
    look("jpeg", () -> "decoder " + Decoders.name());
    look("ports", DoctorCommand::ports);
    look("disk", DoctorCommand::disk);
    PrintWriter out = spec.commandLine().getOut();
    if (wrong.isEmpty()) {
      out.println("Everything the stages need is there.");
      return ExitCode.DONE.code();
    }
    PrintWriter err = spec.commandLine().getErr();
    err.println("maskedkd doctor: " + String.join("; ", wrong));
    return ExitCode.INTERNAL.code();
  }

  private void look(String what, Check check) {
    String found;
    try {
      found = check.look();
    } catch (Exception | LinkageError e) {
      found = "WRONG: " + reason(e);
      wrong.add(what + ": " + reason(e));
    }
    spec.commandLine().getOut().printf("%-10s %s%n", what, found);
  }

  /** With the causes: that a library cannot be loaded is not yet why. */
  private static String reason(Throwable failure) {
    String own = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    Throwable cause = failure.getCause();
    return cause == null ? own : own + ": " + reason(cause);
  }

  private static String java() {
    return "%s %s, %d processors, %s %s"
        .formatted(
            System.getProperty("java.vm.name"),
            Runtime.version(),
            Runtime.getRuntime().availableProcessors(),
            System.getProperty("os.name"),
            System.getProperty("os.arch"));
  }

  private static String memory() throws IOException {
    Path meminfo = Path.of("/proc/meminfo");
    if (!Files.exists(meminfo)) {
      return "unknown, there is no " + meminfo;
    }
    for (String line : Files.readAllLines(meminfo)) {
      if (line.startsWith("MemAvailable:")) {
        long bytes = Long.parseLong(line.replaceAll("\\D", "")) << 10;
        require(
            bytes >= LEAST_MEMORY_BYTES,
            "%s available, the smallest run needs %s",
            size(bytes),
            size(LEAST_MEMORY_BYTES));
        return size(bytes) + " available";
      }
    }
    return "unknown, " + meminfo + " has no MemAvailable";
  }

  private static String libtorch() {
    Torch.start(/* threads= */ 0);
    try (Scope scope = Scope.open()) {
      float[] sum = Tensors.floats(Tensors.of(scope.manager(), new float[] {1, 2}, 2).sum());
      require(sum[0] == 3, "1 + 2 is %s there", sum[0]);
    }
    return Torch.numerics().entrySet().stream()
        .map(Map.Entry::toString)
        .collect(Collectors.joining(", ", "in " + Torch.folder() + ", ", ""));
  }

  private static String ports() throws IOException {
    List<String> taken = new ArrayList<>();
    for (int port : new int[] {9090, 9091}) {
      try (ServerSocket socket =
          new ServerSocket(port, /* backlog= */ 1, InetAddress.getLoopbackAddress())) {
        require(socket.isBound(), "%s cannot be bound", port);
      } catch (BindException e) {
        taken.add(Integer.toString(port));
      }
    }
    // The launcher takes free ports, so a taken one is no fault.
    try (ServerSocket any =
        new ServerSocket(/* port= */ 0, /* backlog= */ 1, InetAddress.getLoopbackAddress())) {
      require(any.getLocalPort() > 0, "no free port on loopback");
    }
    return taken.isEmpty()
        ? "9090 and 9091 are free"
        : "in use: " + String.join(", ", taken) + " (stages started by hand need --listen)";
  }

  private static String disk() throws IOException {
    Path here = Path.of("").toAbsolutePath();
    long bytes = Files.getFileStore(here).getUsableSpace();
    require(
        bytes >= LEAST_DISK_BYTES,
        "%s free at %s, a run needs %s",
        size(bytes),
        here,
        size(LEAST_DISK_BYTES));
    require(Files.isWritable(here), "%s cannot be written", here);
    return size(bytes) + " free at " + here;
  }

  private static String size(long bytes) {
    return "%.1f GiB".formatted(bytes / (double) (1 << 30));
  }

  private static void require(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalStateException(message.formatted(values));
    }
  }
}
