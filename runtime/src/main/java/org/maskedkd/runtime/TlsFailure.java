package org.maskedkd.runtime;

import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.ssl.NotSslRecordException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Why two peers did not trust each other, in words. */
final class TlsFailure {
  private static final String ALERT = "Received fatal alert: ";

  /** How gRPC tells of an alert where HTTP/2 was to begin. */
  private static final String TLS_ALERT_INSTEAD = "Hex dump for first 5 bytes: 1503";

  private TlsFailure() {}

  /** What a server says in its log of a client that it did not let in. */
  static String ofClient(Throwable failure) {
    if (find(failure, NotSslRecordException.class) != null) {
      return "it does not use TLS";
    }
    if (find(failure, ClosedChannelException.class) != null) {
      return "it closed the connection during the TLS handshake";
    }
    String alert = alert(failure);
    if (alert != null) {
      return "it did not accept this process's certificate or settings (TLS alert "
          + alert
          + "); its log says why";
    }
    if (message(failure).contains("Empty client certificate chain")) {
      return "it showed no certificate, and one is required";
    }
    return "its certificate is not trusted: " + distrust(failure);
  }

  /**
   * What a client tells its user, or null if the call did not fail for want of trust.
   *
   * @param peer names the server, such as {@code "the teacher at 127.0.0.1:9091"}
   */
  static @Nullable String ofServer(Throwable failure, String peer) {
    if (find(failure, NotSslRecordException.class) != null) {
      return peer
          + " does not use TLS, and this process does; start it with --tls-cert, --tls-key and --tls-ca,"
          + " or leave tls.* out";
    }
    String alert = alert(failure);
    if (alert != null) {
      return peer
          + " refused this process (TLS alert "
          + alert
          + "): "
          + meaning(alert)
          + "; its log says more";
    }
    if (find(failure, CertificateException.class) != null) {
      return "this process does not trust " + peer + ": " + distrust(failure);
    }
    Http2Exception noHttp2 = find(failure, Http2Exception.class);
    if (noHttp2 != null && String.valueOf(noHttp2.getMessage()).contains(TLS_ALERT_INSTEAD)) {
      return peer
          + " uses TLS, and this process does not; give it tls.certificate, tls.key and tls.authority"
          + " (--tls-cert, --tls-key and --tls-ca)";
    }
    return null;
  }

  private static String meaning(String alert) {
    return switch (alert) {
      case "bad_certificate", "certificate_required" ->
          "it wants a certificate and got none, or a broken one";
      case "certificate_unknown", "unknown_ca", "certificate_expired", "unsupported_certificate" ->
          "it does not trust the certificate of tls.certificate; see that its authority knows it, and that it has not expired";
      default -> "the two do not agree on TLS";
    };
  }

  /** Why a certificate was not accepted on this side. */
  private static String distrust(Throwable failure) {
    Throwable late = find(failure, CertificateExpiredException.class);
    if (late != null) {
      return "its certificate has expired (" + late.getMessage() + "); issue a new one";
    }
    Throwable early = find(failure, CertificateNotYetValidException.class);
    if (early != null) {
      return "its certificate is not valid yet (" + early.getMessage() + "); see the clocks";
    }
    if (find(failure, CertPathBuilderException.class) != null) {
      return "its certificate was not issued by an authority that this process was given (--tls-ca, tls.authority)";
    }
    String message = message(failure);
    if (message.startsWith("No subject alternative") || message.startsWith("No name matching")) {
      return "its certificate is for another host ("
          + message
          + "); connect by a name that it is for, or issue one with this name";
    }
    return message;
  }

  private static @Nullable String alert(Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      String said = String.valueOf(t.getMessage());
      if (t instanceof SSLException && said.contains(ALERT)) {
        return said.substring(said.indexOf(ALERT) + ALERT.length());
      }
    }
    return null;
  }

  /** Of the cause that all others come from. */
  private static String message(Throwable failure) {
    Throwable last = failure;
    for (Throwable t = failure; t != null; t = t.getCause()) {
      last = t;
    }
    return String.valueOf(last.getMessage());
  }

  private static <T extends Throwable> @Nullable T find(Throwable failure, Class<T> type) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (type.isInstance(t)) {
        return type.cast(t);
      }
    }
    return null;
  }
}
