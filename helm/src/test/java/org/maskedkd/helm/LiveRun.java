package org.maskedkd.helm;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A run with two teachers, every role a process of its own, and a Prometheus that scrapes them. */
final class LiveRun implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MANAGEMENT = "management on port ";
  private static final String LISTENING = "listening ";

  private final HttpClient client = HttpClient.newHttpClient();
  private final List<Process> processes = new ArrayList<>();
  private final Path folder;
  private final List<String> scraped = new ArrayList<>();
  private int port;

  /** The models and data of a run. */
  record Setup(String student, String teacher, String data, String settings) {}

  private LiveRun(Path folder) {
    this.folder = folder;
  }

  /**
   * Starts everything and returns once Prometheus answers; training begins a little later. If it
   * throws, nothing is left running.
   *
   * @param folder for files of all processes
   */
  static LiveRun open(Path folder, Setup setup) throws IOException {
    LiveRun run = new LiveRun(folder);
    try {
      run.start(setup);
      run.awaitPrometheus();
      return run;
    } catch (IOException | RuntimeException | Error e) {
      run.close();
      throw e;
    }
  }

  private void start(Setup setup) throws IOException {
    Path config = folder.resolve("run.yaml");
    Files.writeString(
        config,
        """
        name: live
        runs-dir: %s
        seed: 3
        student: {model: "%s", threads: 1}
        teacher: {model: "%s", threads: 1}
        data: {train: "generated:%s,split=train", eval: "generated:%s,split=eval"}
        %s
        """
            .formatted(
                folder,
                setup.student,
                setup.teacher,
                setup.data,
                setup.data.replaceAll("images=\\d+", "images=96"),
                setup.settings));
    Path student =
        start(
            "student",
            "student-stage",
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--data-root=/",
            "--run-root=" + folder);
    List<Path> teachers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      teachers.add(
          start(
              "teacher-" + i,
              "teacher-stage",
              "--listen=127.0.0.1:0",
              "--threads=1",
              "--model=" + setup.teacher,
              "--weights=random:7"));
    }
    Path coordinator =
        start(
            "coordinator",
            "coordinator",
            "-c",
            config.toString(),
            "--management=127.0.0.1:0",
            "--student=" + said(student, LISTENING),
            "--teacher=" + said(teachers.get(0), LISTENING),
            "--teacher=" + said(teachers.get(1), LISTENING));
    port = freePort();
    Stream.concat(Stream.of(coordinator, student), teachers.stream())
        .forEach(output -> scraped.add("127.0.0.1:" + said(output, MANAGEMENT)));
    prometheus();
  }

  /** {@code maskedkd ARGUMENTS}, with its output in a file. */
  private Path start(String name, String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx96m",
                "-Dai.djl.offline=true",
                "-cp",
                System.getProperty("java.class.path"),
                "org.maskedkd.cli.Main"));
    command.addAll(List.of(arguments));
    return start(name, command);
  }

  private Path start(String name, List<String> command) throws IOException {
    Path output = folder.resolve(name + ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().put("OMP_NUM_THREADS", "1");
    processes.add(builder.start());
    return output;
  }

  /** What a process says behind these words, as soon as it does. */
  private String said(Path output, String words) {
    await(words + "in " + output)
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(50))
        .until(
            () -> {
              requireAlive();
              return Files.readString(output).contains(words);
            });
    try (Stream<String> lines = Files.lines(output)) {
      return lines
          .filter(line -> line.contains(words))
          .map(line -> line.substring(line.indexOf(words) + words.length()).strip())
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Says what was printed by a process that should not have ended. */
  private void requireAlive() throws IOException {
    if (processes.stream().allMatch(Process::isAlive)) {
      return;
    }
    StringBuilder all = new StringBuilder("a process has ended:\n");
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".txt")).toList()) {
        all.append(file.getFileName()).append(":\n").append(Files.readString(file)).append('\n');
      }
    }
    throw new AssertionError(all);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private void prometheus() throws IOException {
    String targets =
        scraped.stream().map(address -> '"' + address + '"').collect(Collectors.joining(", "));
    Path config = folder.resolve("prometheus.yml");
    Files.writeString(
        config,
        """
        global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
        rule_files: ["%s/*.rules.yaml"]
        scrape_configs:
          - job_name: maskedkd
            static_configs: [{targets: [%s]}]
        """
            .formatted(folder, targets));
    for (String file : List.of("recording", "alerts")) {
      // A run of seconds must do for what otherwise takes minutes.
      String rules =
          Files.readString(Rules.FOLDER.resolve(file + ".yaml"))
              .replace("interval: 30s", "interval: 1s")
              .replace("[6h:1m]", "[6h:1s]");
      Files.writeString(folder.resolve(file + ".rules.yaml"), rules);
    }
    start(
        "prometheus",
        List.of(
            "prometheus",
            "--config.file=" + config,
            "--storage.tsdb.path=" + folder.resolve("prometheus"),
            "--web.listen-address=127.0.0.1:" + port));
  }

  /** What each process shows of itself now. */
  List<String> scrapes() throws IOException, InterruptedException {
    List<String> scrapes = new ArrayList<>();
    for (String address : scraped) {
      scrapes.add(get("http://" + address + "/metrics"));
    }
    return scrapes;
  }

  private String get(String url) throws IOException, InterruptedException {
    return client
        .send(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString())
        .body();
  }

  private JsonNode ask(String path) throws IOException, InterruptedException {
    requireAlive();
    String body = get("http://127.0.0.1:" + port + "/api/v1/" + path);
    JsonNode answer = JSON.readTree(body);
    if (!answer.path("status").asText().equals("success")) {
      throw new AssertionError(path + ": " + body);
    }
    return answer.path("data");
  }

  /** What an expression gives now, a series each. */
  JsonNode query(String expression) throws IOException, InterruptedException {
    return ask("query?query=" + encoded(expression)).path("result");
  }

  /** What it gave at times from {@code from} to {@code to}, in seconds. */
  JsonNode range(String expression, double from, double to, double step)
      throws IOException, InterruptedException {
    return ask("query_range?query=%s&start=%s&end=%s&step=%s"
            .formatted(encoded(expression), from, to, step))
        .path("result");
  }

  /** Rules, recording and alerting, with the health and the last error of each. */
  List<JsonNode> rules() throws IOException, InterruptedException {
    return ask("rules")
        .path("groups")
        .valueStream()
        .flatMap(group -> group.path("rules").valueStream())
        .toList();
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  private void awaitPrometheus() {
    await("Prometheus")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(200))
        .ignoreExceptionsInstanceOf(java.net.ConnectException.class)
        .until(() -> query("up").size() == 4);
  }

  @Override
  public void close() {
    processes.forEach(Process::destroyForcibly);
    processes.forEach(
        process -> {
          try {
            process.waitFor();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
  }
}
