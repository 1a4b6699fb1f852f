package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run whose stages are reached over TLS only. */
class TlsProcessTest {
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

  @Test
  void coordinator_stagesWithTls_endsWith0AndWithoutTlsWith78() throws Exception {
    X509Bundle ours = authority("ours");
    String runs = folder.resolve("runs").toString();
    try (MaskedKdProcess student =
            start(
                files("student", ours),
                "student-stage",
                "--listen=127.0.0.1:0",
                "--threads=1",
                "--run-root=" + runs);
        MaskedKdProcess teacher =
            start(
                files("teacher", ours),
                "teacher-stage",
                "--listen=127.0.0.1:0",
                "--threads=1",
                "--model=" + TinyRun.TEACHER,
                "--weights=" + TinyRun.TEACHER_WEIGHTS)) {
      String[] coordinator = {
        "coordinator",
        "-c",
        TinyRun.config(folder),
        "--student=" + student.awaitText("listening "),
        "--teacher=" + teacher.awaitText("listening "),
        "--runs-dir=" + runs,
        "schedule.epochs=1"
      };
      start(files("coordinator", ours), coordinator).endsWith(0);
      TinyRun run = new TinyRun(folder.resolve("runs/run"), student);
      assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(TinyRun.STEPS_PER_EPOCH));
      assertThat(Files.readString(run.path().resolve("config.yaml")))
          .contains(folder.resolve("coordinator/tls.crt").toString());

      coordinator[5] = "--runs-dir=" + folder.resolve("other");
      MaskedKdProcess plain = start(List.of(), coordinator).endsWith(78);
      // Whichever answers first ends it.
      assertThat(plain.said()).contains("uses TLS, and this process does not");
      assertThat(student.said() + teacher.said())
          .contains("it does not use TLS")
          .doesNotContain("\tat ");
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
