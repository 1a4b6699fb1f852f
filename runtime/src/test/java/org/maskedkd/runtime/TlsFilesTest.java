package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.maskedkd.runtime.Certificates.valid;

import io.netty.pkitesting.X509Bundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TlsFilesTest {
  private static final Certificates HOUSE = Certificates.of("house");

  @TempDir private Path folder;

  private RunException refused(TlsFiles files) {
    return catchThrowableOfType(RunException.class, () -> Tls.open(files));
  }

  @Test
  void of_nothingNamed_isNull() {
    assertThat(TlsFiles.of("", "", "")).isNull();
  }

  @Test
  void of_oneNamed_namesTheOthers() {
    assertThatThrownBy(() -> TlsFiles.of("", "tls.key", ""))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContaining(
            "--tls-key (tls.key) is given, --tls-cert (tls.certificate) and --tls-ca (tls.authority) is missing");
  }

  @Test
  void open_missingFile_isWrongUsageWithTheWayOut() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    Files.delete(files.key());
    assertThat(refused(files))
        .hasMessageContainingAll(
            "the private key " + files.key(), "there is no such file", "--tls-key", "tls.key")
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.USAGE);
  }

  @Test
  void open_notPem_isBadData() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    Files.writeString(files.authority(), "certificate");
    assertThat(refused(files))
        .hasMessageContainingAll("the authority's certificate " + files.authority(), "PEM")
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.BAD_DATA);
  }

  @Test
  void open_chainThatEndsInTheMidstOfACertificate_isBadData() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    String whole = Files.readString(files.certificate());
    Files.writeString(files.certificate(), whole + whole.substring(0, whole.length() - 40));
    assertThat(refused(files))
        .hasMessageContainingAll("the certificate " + files.certificate(), "whole blocks")
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.BAD_DATA);
  }

  @Test
  void open_keyOfAnotherFormat_namesTheConversion() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    String key = Files.readString(files.key());
    Files.writeString(files.key(), key.replace("PRIVATE KEY", "EC PRIVATE KEY"));
    assertThat(refused(files))
        .hasMessageContaining("openssl pkcs8 -topk8 -nocrypt -in " + files.key())
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.BAD_DATA);
  }

  @Test
  void open_keyOfAnotherCertificate_namesBoth() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    Files.writeString(files.key(), HOUSE.issue("stage").getPrivateKeyPEM());
    assertThat(refused(files))
        .hasMessageContainingAll(files.key() + " (EC) does not fit", files.certificate().toString())
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.BAD_DATA);
  }

  @Test
  void open_keyOfAnotherAlgorithm_doesNotFit() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    X509Bundle rsa = HOUSE.issue(valid(Duration.ofHours(1)).subject("CN=rsa").rsa2048());
    Files.writeString(files.key(), rsa.getPrivateKeyPEM());
    assertThat(refused(files)).hasMessageContaining(files.key() + " (RSA) does not fit");
    Files.writeString(files.certificate(), rsa.getCertificatePathPEM());
    try (Tls opened = Tls.open(files)) {
      assertThat(opened).isNotNull();
    }
  }

  @Test
  void open_damagedKey_isBadData() throws Exception {
    TlsFiles files = HOUSE.write(folder, HOUSE.issue("stage"));
    Files.writeString(
        files.key(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assertThat(refused(files))
        .hasMessageContaining(files.key() + " is no RSA, EC or Ed25519 key, or damaged");
  }

  @Test
  void open_expired_saysUntilWhen() {
    X509Bundle late = HOUSE.issue(valid(Duration.ofMinutes(-1)).subject("CN=late"));
    assertThat(refused(HOUSE.write(folder, late)))
        .hasMessageContainingAll(
            "the certificate " + folder.resolve("tls.crt"),
            "to " + late.getCertificate().getNotAfter().toInstant(),
            "issue a new one")
        .extracting(RunException::exitCode)
        .isEqualTo(ExitCode.BAD_DATA);
  }
}
