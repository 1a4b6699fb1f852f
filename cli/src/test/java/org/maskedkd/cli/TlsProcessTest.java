package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run whose stages are reached over TLS only, and whose processes log JSON. */
class TlsProcessTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  private List<String> files(String name, X509Bundle authority) throws Exception {
    return files(name, authority, certificate -> certificate.addSanIpAddress("127.0.0.1"));
  }

  /** Writes the files of a peer, and gives the options that name them. */
  private List<String> files(
      String name, X509Bundle authority, UnaryOperator<CertificateBuilder> host) throws Exception {
    X509Bundle own =
        host.apply(new CertificateBuilder().ecp256().subject("CN=" + name))
            .buildIssuedBy(authority);
    Path home = Files.createDirectories(folder.resolve(name));
    Path certificate = Files.writeString(home.resolve("tls.crt"), own.getCertificatePathPEM());
    Path key = Files.writeString(home.resolve("tls.key"), own.getPrivateKeyPEM());
    Path ca = Files.writeString(home.resolve("ca.crt"), authority.getCertificatePEM());
    return List.of("--tls-cert=" + certificate, "--tls-key=" + key, "--tls-ca=" + ca);
  }

  private static X509Bundle authority(String name) throws Exception {
    return new CertificateBuilder()
        .ecp256()
        .subject("CN=" + name)
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
  }

  private MaskedKdProcess start(List<String> files, String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(files);
    return MaskedKdProcess.start(folder, all.toArray(String[]::new));
  }

  /** All that a process said; every line must be an event with the fields that each has. */
  private static List<JsonNode> events(MaskedKdProcess process, String role) throws IOException {
    List<JsonNode> events = new ArrayList<>();
    for (String line : process.said().lines().toList()) {
      JsonNode event = JSON.readTree(line);
      assertThat(event.path("time").asText()).as(line).endsWith("Z");
      assertThat(event.path("level").asText()).as(line).isIn("INFO", "WARN", "ERROR");
      assertThat(event.path("process").asText()).as(line).isEqualTo(role);
      assertThat(List.of("thread", "logger", "message")).as(line).allMatch(event::has);
      events.add(event);
    }
    return events;
  }

  private static List<JsonNode> saying(String words, List<JsonNode> events) {
    return events.stream().filter(event -> event.get("message").asText().contains(words)).toList();
  }

  /** What stands behind "listening" in the event that says so. */
  private static String address(MaskedKdProcess stage) {
    String rest = stage.awaitText("listening ");
    return rest.substring(0, rest.indexOf('"'));
  }

  @Test
  void coordinator_stagesWithTls_endsWith0AndWithoutTlsWith78() throws Exception {
    X509Bundle ours = authority("ours");
    String runs = folder.resolve("runs").toString();
    try (MaskedKdProcess student =
            start(
                files("student", ours),
                "student-stage",
                "--log-format=json",
                "--listen=127.0.0.1:0",
                "--threads=1",
                "--run-root=" + runs);
        MaskedKdProcess teacher =
            start(
                files("teacher", ours),
                "teacher-stage",
                "--log-format=json",
                "--listen=127.0.0.1:0",
                "--threads=1",
                "--model=" + TinyRun.TEACHER,
                "--weights=" + TinyRun.TEACHER_WEIGHTS)) {
      String[] coordinator = {
        "coordinator",
        "-c",
        TinyRun.config(folder),
        "--log-format=json",
        "--student=" + address(student),
        "--teacher=" + address(teacher),
        "--runs-dir=" + runs,
        "schedule.epochs=1"
      };
      MaskedKdProcess led = start(files("coordinator", ours), coordinator).endsWith(0);
      TinyRun run = new TinyRun(folder.resolve("runs/run"), student);
      assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(TinyRun.STEPS_PER_EPOCH));
      assertThat(Files.readString(run.path().resolve("config.yaml")))
          .contains(folder.resolve("coordinator/tls.crt").toString());
      JsonNode step = saying("images/s  loss", events(led, "coordinator")).get(0);
      assertThat(step.get("run").asText()).isEqualTo("run");
      assertThat(step.get("step").asLong()).isEqualTo(1);
      assertThat(step.get("loss").asDouble())
          .isEqualTo(run.lines("metrics.jsonl").get(0).get("loss").asDouble());

      coordinator[6] = "--runs-dir=" + folder.resolve("other");
      MaskedKdProcess plain = start(List.of(), coordinator).endsWith(78);
      // Whichever answers first ends it.
      List<JsonNode> said =
          saying("uses TLS, and this process does not", events(plain, "coordinator"));
      assertThat(said).hasSize(1);
      assertThat(said.get(0).get("level").asText()).isEqualTo("ERROR");
      assertThat(said.get(0).get("exit_code").asInt()).isEqualTo(78);

      student.terminate();
      student.endsWith(143);
      teacher.terminate();
      teacher.endsWith(143);
      List<JsonNode> ofStudent = events(student, "student");
      List<JsonNode> ofTeacher = events(teacher, "teacher");
      // A line for each connection, which its port tells from the others.
      assertThat(Stream.concat(ofStudent.stream(), ofTeacher.stream()))
          .filteredOn(event -> event.get("message").asText().startsWith("refused "))
          .isNotEmpty()
          .allMatch(event -> event.get("message").asText().endsWith("it does not use TLS"))
          .noneMatch(event -> event.has("error"))
          .extracting(event -> event.get("message"))
          .doesNotHaveDuplicates();
      JsonNode written = saying("checkpoint of step 4 written", ofStudent).get(0);
      assertThat(written.get("run").asText()).isEqualTo("run");
      assertThat(written.get("step").asLong()).isEqualTo(4);
      assertThat(saying("opened this teacher", ofTeacher).get(0).get("run").asText())
          .isEqualTo("run");
    }
  }

  @Test
  void endTeachers_ofANameWithTls_reachesThoseWhoseCertificateIsForTheName() throws Exception {
    X509Bundle ours = authority("ours");
    String runs = folder.resolve("runs").toString();
    // As on a cluster: the student beside the coordinator on a socket file, teachers by name.
    String socket = "unix:" + folder.resolve("student.sock");
    try (MaskedKdProcess student =
            start(
                List.of(),
                "student-stage",
                "--listen=" + socket,
                "--threads=1",
                "--run-root=" + runs);
        MaskedKdProcess teacher =
            start(
                files("teacher", ours, certificate -> certificate.addSanDnsName("localhost")),
                "teacher-stage",
                "--listen=127.0.0.1:0",
                "--threads=1",
                "--model=" + TinyRun.TEACHER,
                "--weights=" + TinyRun.TEACHER_WEIGHTS)) {
      student.awaitText("listening ");
      String port = teacher.awaitText("listening 127.0.0.1:");
      start(
              files("coordinator", ours),
              "coordinator",
              "-c",
              TinyRun.config(folder),
              "--student=" + socket,
              "--teacher=dns:localhost:" + port,
              "--runs-dir=" + runs,
              "--max-steps=2",
              "--end-teachers")
          .endsWith(0);
      teacher.endsWith(0);
      assertThat(student.isAlive()).isTrue();
    }
  }
}
