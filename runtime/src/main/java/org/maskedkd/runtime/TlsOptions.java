package org.maskedkd.runtime;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that name the files of TLS; a mixin of every command that has them. */
public final class TlsOptions {
  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description =
          "This process's certificate, PEM, followed by those between it and its authority. With --tls-key and --tls-ca, or none of them.")
  private String certificate = "";

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "Its private key, PEM (PKCS#8 without a password).")
  private String key = "";

  @Option(
      names = "--tls-ca",
      paramLabel = "FILE",
      description = "Certificates of the authorities whose peers are trusted, PEM.")
  private String authority = "";

  /**
   * The files, or null when none is named.
   *
   * @throws RunException (usage) when only some of them are
   */
  public @Nullable TlsFiles files() {
    return TlsFiles.of(certificate, key, authority);
  }
}
