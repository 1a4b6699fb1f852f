package org.maskedkd.data;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256. */
final class Digests {
  private Digests() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java runtime has SHA-256", e);
    }
  }

  /** Over names and sizes in order, hexadecimal. */
  static String of(ImageSource source) {
    MessageDigest digest = sha256();
    for (int i = 0; i < source.size(); i++) {
      String line = source.name(i) + '\0' + source.bytes(i) + '\n';
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Of a set that follows from what {@code origin} stands for by {@code derivation}. */
  static String derived(String origin, String derivation) {
    byte[] identity = (origin + '\n' + derivation).getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(sha256().digest(identity));
  }
}
