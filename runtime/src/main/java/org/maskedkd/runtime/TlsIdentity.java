package org.maskedkd.runtime;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What the three files hold, checked: who this process is, and whom it trusts.
 *
 * @param chain this process's certificate first
 */
record TlsIdentity(List<X509Certificate> chain, PrivateKey key, List<X509Certificate> authority) {

  private static final Pattern PKCS8 =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----");

  private static final Pattern BEGIN = Pattern.compile("-----BEGIN [A-Z0-9 ]*CERTIFICATE-----");

  /** Algorithms of keys, each with a signature that both halves of a pair can make. */
  private static final List<List<String>> ALGORITHMS =
      List.of(
          List.of("RSA", "SHA256withRSA"),
          List.of("EC", "SHA256withECDSA"),
          List.of("EdDSA", "EdDSA"));

  /**
   * @param texts of the files, in the order of {@link TlsFiles.Role}
   * @throws RunException (bad data) that names the file that cannot be used
   */
  static TlsIdentity of(TlsFiles files, List<String> texts, Instant now) {
    List<X509Certificate> chain = certificates(files, TlsFiles.Role.CERTIFICATE, texts);
    X509Certificate own = chain.get(0);
    if (now.isAfter(own.getNotAfter().toInstant())
        || now.isBefore(own.getNotBefore().toInstant())) {
      throw bad(
          files.named(TlsFiles.Role.CERTIFICATE)
              + " is valid from "
              + own.getNotBefore().toInstant()
              + " to "
              + own.getNotAfter().toInstant()
              + ", and it is "
              + now
              + " now; issue a new one, or set the clock",
          null);
    }
    PrivateKey key = key(files, texts.get(TlsFiles.Role.KEY.ordinal()));
    if (!fits(key, own.getPublicKey())) {
      throw bad(
          files.named(TlsFiles.Role.KEY)
              + " ("
              + key.getAlgorithm()
              + ") does not fit "
              + files.named(TlsFiles.Role.CERTIFICATE)
              + " ("
              + own.getPublicKey().getAlgorithm()
              + " key of "
              + own.getSubjectX500Principal()
              + "); name the key that this certificate was issued for",
          null);
    }
    return new TlsIdentity(chain, key, certificates(files, TlsFiles.Role.AUTHORITY, texts));
  }

  private static RunException notWhole(
      TlsFiles files, TlsFiles.Role role, @Nullable String why, @Nullable Exception cause) {
    return bad(
        files.named(role)
            + " cannot be understood ("
            + why
            + "); expected PEM, one or more whole blocks of BEGIN CERTIFICATE and END CERTIFICATE",
        cause);
  }

  private static List<X509Certificate> certificates(
      TlsFiles files, TlsFiles.Role role, List<String> texts) {
    byte[] bytes = texts.get(role.ordinal()).getBytes(StandardCharsets.ISO_8859_1);
    List<X509Certificate> found = new ArrayList<>();
    try {
      CertificateFactory.getInstance("X.509")
          .generateCertificates(new ByteArrayInputStream(bytes))
          .forEach(certificate -> found.add((X509Certificate) certificate));
    } catch (CertificateException e) {
      throw notWhole(files, role, e.getMessage(), e);
    }
    // Newer Javas leave out what comes behind the last whole one, of a file that is half written.
    long begun = BEGIN.matcher(texts.get(role.ordinal())).results().count();
    if (begun > found.size()) {
      throw notWhole(files, role, begun + " begin, " + found.size() + " are whole", null);
    }
    if (found.isEmpty()) {
      throw bad(
          files.named(role)
              + " holds no certificate; expected PEM, a block of BEGIN CERTIFICATE and END CERTIFICATE",
          null);
    }
    return found;
  }

  private static PrivateKey key(TlsFiles files, String text) {
    Matcher block = PKCS8.matcher(text);
    String name = files.named(TlsFiles.Role.KEY);
    if (!block.find()) {
      boolean other = text.contains("PRIVATE KEY-----") && !text.contains("BEGIN PRIVATE KEY-----");
      throw bad(
          name
              + (other
                  ? " is of another format than PKCS#8 without a password; convert it: openssl pkcs8 -topk8 -nocrypt -in "
                      + files.key()
                      + " -out NEW.pem"
                  : " holds no private key; expected PEM, a block of BEGIN PRIVATE KEY and END PRIVATE KEY"),
          null);
    }
    try {
      PKCS8EncodedKeySpec spec =
          new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(block.group(1)));
      for (List<String> algorithm : ALGORITHMS) {
        try {
          return KeyFactory.getInstance(algorithm.get(0)).generatePrivate(spec);
        } catch (InvalidKeySpecException e) {
          // One of another algorithm, whose turn comes.
          continue;
        }
      }
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw bad(name + " cannot be understood: " + e.getMessage(), e);
    }
    throw bad(name + " is no RSA, EC or Ed25519 key, or damaged; make a new one", null);
  }

  /** Whether what one signs the other verifies. */
  private static boolean fits(PrivateKey key, PublicKey other) {
    byte[] text = {1, 2, 3};
    try {
      for (List<String> algorithm : ALGORITHMS) {
        if (algorithm.get(0).equals(key.getAlgorithm())) {
          Signature signature = Signature.getInstance(algorithm.get(1));
          signature.initSign(key);
          signature.update(text);
          byte[] signed = signature.sign();
          signature.initVerify(other);
          signature.update(text);
          return signature.verify(signed);
        }
      }
    } catch (GeneralSecurityException e) {
      // Such as a key of the other algorithm.
      return false;
    }
    return false;
  }

  private static RunException bad(String message, @Nullable Exception cause) {
    return new RunException(ExitCode.BAD_DATA, message, cause);
  }
}
