package org.maskedkd.runtime;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;

/** An authority of a test, and files of certificates that it issues. */
record Certificates(X509Bundle authority) {

  static Certificates of(String name) {
    try {
      return new Certificates(
          valid(Duration.ofDays(1))
              .subject("CN=" + name)
              .setIsCertificateAuthority(true)
              .buildSelfSigned());
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /** From an hour ago until {@code rest} from now. */
  static CertificateBuilder valid(Duration rest) {
    Instant now = Instant.now();
    return new CertificateBuilder()
        .ecp256()
        .notBefore(now.minus(Duration.ofHours(1)))
        .notAfter(now.plus(rest));
  }

  X509Bundle issue(CertificateBuilder certificate) {
    try {
      return certificate.buildIssuedBy(authority);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /** A certificate for 127.0.0.1 and this name. */
  X509Bundle issue(String name) {
    return issue(valid(Duration.ofHours(1)).subject("CN=" + name).addSanIpAddress("127.0.0.1"));
  }

  /** Writes what a peer of this authority's house has, and gives its files. */
  TlsFiles write(Path folder, X509Bundle own) {
    TlsFiles files =
        new TlsFiles(
            folder.resolve("tls.crt"), folder.resolve("tls.key"), folder.resolve("ca.crt"));
    try {
      Files.createDirectories(folder);
      Files.writeString(files.certificate(), own.getCertificatePathPEM());
      Files.writeString(files.key(), own.getPrivateKeyPEM());
      Files.writeString(files.authority(), authority.getCertificatePEM());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return files;
  }
}
