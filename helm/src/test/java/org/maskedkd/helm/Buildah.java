package org.maskedkd.helm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Debian's buildah: builds images and runs them, without a daemon, a registry or namespaces of
 * users. Images, containers and the network that they share, which has a loopback and nothing else,
 * go with this object.
 */
final class Buildah implements AutoCloseable {
  private static final List<String> PROGRAMS = List.of("buildah", "nsenter", "unshare", "ip");

  /** Only what hangs needs as long. */
  private static final long PATIENCE_MINUTES = 10;

  private final Path storage;
  private final Process network;
  private final List<Process> started = new ArrayList<>();

  /** What a program said, both streams, and how it ended. */
  record Result(int exit, String said) {}

  Buildah(Path storage) {
    this.storage = storage;
    try {
      Files.createDirectories(storage);
      // Lives until its standard input is closed.
      network =
          new ProcessBuilder("unshare", "--net", "sh", "-c", "ip link set lo up; echo up; cat")
              .redirectErrorStream(true)
              .start();
      String said = network.inputReader(StandardCharsets.UTF_8).readLine();
      if (!"up".equals(said)) {
        throw new IllegalStateException("no network of its own: " + said);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether this machine has what it takes. */
  static boolean canRun() {
    return "root".equals(System.getProperty("user.name"))
        && PROGRAMS.stream().allMatch(Buildah::isOnPath);
  }

  static boolean isOnPath(String program) {
    return Stream.of(System.getenv("PATH").split(":", -1))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private List<String> command(String verb, List<String> arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "buildah",
                "--root=" + storage.resolve("root"),
                "--runroot=" + storage.resolve("run"),
                "--storage-driver=vfs",
                verb));
    command.addAll(arguments);
    return command;
  }

  /** The last line of what it says; it must end with 0. */
  private String call(String verb, String... arguments) {
    Result result = result(command(verb, List.of(arguments)));
    if (result.exit() != 0) {
      throw new IllegalStateException(verb + " ended with " + result);
    }
    return result.said();
  }

  private ProcessBuilder process(List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("TMPDIR", storage.toString());
    return builder;
  }

  private Result result(List<String> command) {
    try {
      Process process = process(command).start();
      process.getOutputStream().close();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Result(process.waitFor(), said);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Builds an image named {@code name}. */
  Result build(String name, Path context, Path dockerfile, String... more) {
    List<String> arguments =
        new ArrayList<>(List.of("--isolation=chroot", "--layers=false", "--pull=never"));
    arguments.addAll(List.of(more));
    arguments.addAll(List.of("-t", name, "-f", dockerfile.toString(), context.toString()));
    return result(command("build", arguments));
  }

  /** What the image says about itself, as the OCI's configuration. */
  JsonNode configuration(String image) {
    try {
      return new ObjectMapper()
          .readTree(call("inspect", "--type=image", image))
          .at("/OCIv1/config");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A container of an image, not running; {@code hosts} are names of the loopback there. */
  String container(String name, String image, List<String> hosts) {
    List<String> arguments = new ArrayList<>(List.of("--pull=never", "--name=" + name));
    hosts.forEach(host -> arguments.add("--add-host=" + host + ":127.0.0.1"));
    arguments.add(image);
    return call("from", arguments.toArray(String[]::new)).strip();
  }

  /** The container's root file system. */
  Path root(String container) {
    return Path.of(call("mount", container).strip());
  }

  /** Starts a command in a container; what it says goes into a file. */
  Process start(String container, List<String> options, List<String> arguments, Path said) {
    List<String> all = new ArrayList<>(List.of("--isolation=chroot"));
    all.addAll(options);
    all.addAll(List.of(container, "--"));
    all.addAll(arguments);
    List<String> command =
        new ArrayList<>(List.of("nsenter", "--net=/proc/%d/ns/net".formatted(network.pid())));
    command.addAll(command("run", all));
    try {
      Process process = process(command).redirectOutput(said.toFile()).start();
      started.add(process);
      return process;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The end of a command that {@link #start} started. */
  static int exitCode(Process process) {
    try {
      if (!process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES)) {
        throw new IllegalStateException(process.info() + " did not end");
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    // What a failed test left running.
    for (Process process : started) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      // It writes into the storage, which is removed next.
      exitCode(process.destroyForcibly());
    }
    network.destroy();
  }
}
