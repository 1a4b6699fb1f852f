package org.maskedkd.helm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The pods of a release on one loopback: its containers, with the arguments, variables, folders and
 * mounts that the chart gives them. Nothing can be written to /tmp, which the chart lets them write
 * to: whoever unpacked something there would fail.
 */
final class ImagePod {
  private static final int USER = 10001;
  private static final List<String> ENTRY_POINT =
      List.of("/opt/maskedkd/bin/launch", "/opt/java/openjdk/bin/java", "/opt/maskedkd/lib");

  /** Names that the chart has the program look up. */
  private static final List<String> HOSTS =
      List.of(
          "%s-maskedkd-teacher.%s.svc".formatted(Chart.RELEASE, Chart.NAMESPACE),
          "%s-maskedkd-trainer.%s.svc".formatted(Chart.RELEASE, Chart.NAMESPACE));

  private final Buildah buildah;
  private final Path folder;
  private int probes;

  /** A container at work. */
  record Running(Process process, Path log, Path root) {
    int exitCode() {
      return Buildah.exitCode(process);
    }

    String said() throws IOException {
      return Files.readString(log);
    }

    /** The files of the programs at work, the container's own last. */
    List<String> commands() {
      return Stream.iterate(
              process.toHandle(), Objects::nonNull, one -> one.children().findFirst().orElse(null))
          .map(one -> one.info().command().orElse(""))
          .toList();
    }

    /** Sends the signal that a container ends by to the one process in it. */
    void terminate() {
      process
          .descendants()
          .filter(one -> one.children().findAny().isEmpty())
          .forEach(ProcessHandle::destroy);
    }
  }

  ImagePod(Buildah buildah, Path folder) throws IOException {
    this.buildah = buildah;
    this.folder = Files.createDirectories(folder);
  }

  /** Writes down what the chart has as the run's configuration. */
  void configure(List<JsonNode> documents) throws IOException {
    JsonNode text = Manifests.ofKind(documents, "ConfigMap").get(0).at("/data/run.yaml");
    give(Files.writeString(volume("config").resolve("run.yaml"), text.asText()));
  }

  private Path volume(String name) throws IOException {
    Path volume = folder.resolve(name);
    if (!Files.exists(volume)) {
      give(Files.createDirectory(volume));
    }
    return volume;
  }

  /** To the program's user, whatever the umask is. */
  private static void give(Path file) throws IOException {
    Files.setAttribute(file, "unix:uid", USER);
    Files.setAttribute(file, "unix:gid", USER);
  }

  /** Starts the container of that name of the chart. */
  Running start(List<JsonNode> documents, String name, String image) throws IOException {
    JsonNode container =
        Manifests.podTemplates(documents).stream()
            .flatMap(template -> Manifests.containers(template).stream())
            .filter(one -> one.path("name").asText().equals(name))
            .findFirst()
            .orElseThrow();
    List<String> options = new ArrayList<>();
    options.add("--workingdir=" + container.path("workingDir").asText("/runs"));
    for (JsonNode variable : container.path("env")) {
      options.add(
          "--env=" + variable.path("name").asText() + "=" + variable.path("value").asText());
    }
    for (JsonNode mount : container.path("volumeMounts")) {
      String at = mount.path("mountPath").asText();
      boolean readOnly = mount.path("readOnly").asBoolean() || at.equals("/tmp");
      options.add(
          "--volume=%s:%s%s"
              .formatted(volume(mount.path("name").asText()), at, readOnly ? ":ro" : ""));
    }
    List<String> arguments = new ArrayList<>();
    container.path("args").forEach(argument -> arguments.add(argument.asText()));
    return start(name, image, options, arguments);
  }

  /** Starts a container with the entry point of both images. */
  Running start(String name, String image, List<String> options, List<String> arguments)
      throws IOException {
    String container = buildah.container(name, image, HOSTS);
    Path root = buildah.root(container);
    Path log = folder.resolve(name + ".log");
    List<String> command = new ArrayList<>(ENTRY_POINT);
    command.addAll(arguments);
    return new Running(buildah.start(container, options, command, log), log, root);
  }

  /** What the chart's test asks. */
  static List<String> hook(List<JsonNode> documents) {
    List<String> urls = new ArrayList<>();
    Manifests.ofKind(documents, "Pod")
        .get(0)
        .at("/spec/containers/0/args")
        .forEach(a -> urls.add(a.asText()));
    return urls.subList(1, urls.size());
  }

  /**
   * Asks until all say yes, as long as those that are asked live.
   *
   * @return what the last asking said
   */
  String awaitYes(String image, List<String> urls, List<Running> asked) throws IOException {
    List<String> command = new ArrayList<>(ENTRY_POINT);
    command.add("probe");
    command.addAll(urls);
    String container = buildah.container("probe-" + ++probes, image, HOSTS);
    Path log = folder.resolve("probe-" + probes + ".log");
    while (Buildah.exitCode(buildah.start(container, List.of(), command, log)) != 0) {
      for (Running one : asked) {
        if (!one.process().isAlive()) {
          throw new AssertionError(one + " ended: " + one.said());
        }
      }
    }
    return Files.readString(log);
  }
}
