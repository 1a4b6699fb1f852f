package org.maskedkd.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The PEM files of a process that talks TLS; what they hold may change while it runs.
 *
 * @param certificate this process's own certificate, then those between it and its authority
 * @param key the private key of that certificate, PKCS#8 without a password
 * @param authority certificates of the authorities whose peers this process trusts
 */
public record TlsFiles(Path certificate, Path key, Path authority) {

  /** One of the files, with the names that users know it by. */
  enum Role {
    CERTIFICATE("certificate", "--tls-cert", "tls.certificate"),
    KEY("private key", "--tls-key", "tls.key"),
    AUTHORITY("authority's certificate", "--tls-ca", "tls.authority");

    private final String words;
    private final String option;
    private final String key;

    Role(String words, String option, String key) {
      this.words = words;
      this.option = option;
      this.key = key;
    }
  }

  /**
   * All three, or null for none of them. A name that is empty is not given.
   *
   * @throws RunException (usage) that says which of them are missing
   */
  public static @Nullable TlsFiles of(String certificate, String key, String authority) {
    List<String> names = List.of(certificate, key, authority);
    List<String> given = new ArrayList<>();
    List<String> missing = new ArrayList<>();
    for (Role role : Role.values()) {
      (names.get(role.ordinal()).isEmpty() ? missing : given)
          .add(role.option + " (" + role.key + ")");
    }
    if (given.isEmpty()) {
      return null;
    }
    if (!missing.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          "TLS needs all of certificate, private key and authority; "
              + String.join(", ", given)
              + " is given, "
              + String.join(" and ", missing)
              + " is missing");
    }
    return new TlsFiles(Path.of(certificate), Path.of(key), Path.of(authority));
  }

  Path path(Role role) {
    return switch (role) {
      case CERTIFICATE -> certificate;
      case KEY -> key;
      case AUTHORITY -> authority;
    };
  }

  /** A file as messages name it. */
  String named(Role role) {
    return "the " + role.words + " " + path(role);
  }

  /**
   * What they hold now, in the order of {@link Role}.
   *
   * @throws RunException (usage) when one cannot be read
   */
  List<String> read() {
    List<String> texts = new ArrayList<>();
    for (Role role : Role.values()) {
      try {
        // PEM is ASCII; whatever else is there must not fail before it can be named.
        texts.add(Files.readString(path(role), StandardCharsets.ISO_8859_1));
      } catch (IOException e) {
        throw new RunException(
            ExitCode.USAGE,
            "cannot read "
                + named(role)
                + ": "
                + (e instanceof NoSuchFileException ? "there is no such file" : e.toString())
                + "; "
                + role.option
                + " or "
                + role.key
                + " must name a PEM file that this user may read",
            e);
      }
    }
    return texts;
  }
}
