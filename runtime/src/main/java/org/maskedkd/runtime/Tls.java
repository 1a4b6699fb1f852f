package org.maskedkd.runtime;

import io.grpc.netty.GrpcSslContexts;
import io.grpc.util.AdvancedTlsX509KeyManager;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.grpc.util.AdvancedTlsX509TrustManager.Verification;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Mutual TLS of one process: what it shows of itself, to servers and to clients, and whom it
 * trusts. The files are looked at again and again; connections that are open go on as they are, and
 * new ones use what was found last. New files that cannot be used are reported in the log, once,
 * and those before stay in use. Any thread.
 */
public final class Tls implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Tls.class);

  static final Duration INTERVAL = Duration.ofSeconds(10);

  /** How long a certificate that has expired may live on in a session. */
  private static final int SESSION_SECONDS = 60;

  private final TlsFiles files;
  private final CurrentSslContext serverSide;
  private final CurrentSslContext clientSide;
  private final ScheduledExecutorService watcher;
  private List<String> inUse;
  private @Nullable String complaint;

  private Tls(TlsFiles files) {
    this.files = files;
    inUse = files.read();
    Sides first = sides(inUse);
    serverSide = new CurrentSslContext(first.server());
    clientSide = new CurrentSslContext(first.client());
    watcher =
        Executors.newSingleThreadScheduledExecutor(
            new DefaultThreadFactory("maskedkd-tls", /* daemon= */ true));
  }

  /**
   * Reads the files and begins to watch them.
   *
   * @param files null for no TLS
   * @return null for null
   * @throws RunException (usage) when one cannot be read, (bad data) when one cannot be used
   */
  public static @Nullable Tls open(@Nullable TlsFiles files) {
    return files == null ? null : open(files, INTERVAL);
  }

  static Tls open(TlsFiles files, Duration interval) {
    Tls tls = new Tls(files);
    tls.watcher.scheduleWithFixedDelay(
        tls::look, interval.toNanos(), interval.toNanos(), TimeUnit.NANOSECONDS);
    return tls;
  }

  /** Takes what the files hold now into use, if it is something else. */
  synchronized void look() {
    try {
      List<String> found = files.read();
      if (!found.equals(inUse)) {
        Sides next = sides(found);
        serverSide.set(next.server());
        clientSide.set(next.client());
        inUse = found;
      }
      complaint = null;
    } catch (RunException e) {
      if (!String.valueOf(e.getMessage()).equals(complaint)) {
        complaint = e.getMessage();
        log.warn("{}. The TLS files that were read before stay in use", e.getMessage());
      }
    }
  }

  private record Sides(SslContext server, SslContext client) {}

  private Sides sides(List<String> texts) {
    TlsIdentity found = TlsIdentity.of(files, texts, Instant.now());
    AdvancedTlsX509KeyManager identity = new AdvancedTlsX509KeyManager();
    identity.updateIdentityCredentials(found.chain().toArray(X509Certificate[]::new), found.key());
    Sides sides;
    try {
      // A client is known by its certificate; the host it calls from may be any.
      sides =
          new Sides(
              common(SslContextBuilder.forServer(identity))
                  .trustManager(trust(found, Verification.CERTIFICATE_ONLY_VERIFICATION))
                  .clientAuth(ClientAuth.REQUIRE)
                  .build(),
              common(SslContextBuilder.forClient().keyManager(identity))
                  .trustManager(trust(found, Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION))
                  .build());
    } catch (GeneralSecurityException | IOException e) {
      throw new RunException(
          ExitCode.BAD_DATA,
          files.named(TlsFiles.Role.AUTHORITY) + " cannot be used: " + e.getMessage(),
          e);
    }
    X509Certificate own = found.chain().get(0);
    log.info(
        "TLS with the certificate of {}, valid until {}",
        own.getSubjectX500Principal(),
        own.getNotAfter().toInstant());
    return sides;
  }

  private static AdvancedTlsX509TrustManager trust(TlsIdentity found, Verification how)
      throws GeneralSecurityException, IOException {
    AdvancedTlsX509TrustManager manager =
        AdvancedTlsX509TrustManager.newBuilder().setVerification(how).build();
    manager.updateTrustCredentials(found.authority().toArray(X509Certificate[]::new));
    return manager;
  }

  private static SslContextBuilder common(SslContextBuilder builder) {
    return GrpcSslContexts.configure(builder, SslProvider.JDK)
        .protocols("TLSv1.3", "TLSv1.2")
        .sessionTimeout(SESSION_SECONDS);
  }

  /** Of a server, which clients must show a certificate. */
  SslContext serverSide() {
    return serverSide;
  }

  /** Of a channel, which checks that the server's certificate is for the host it wanted. */
  SslContext clientSide() {
    return clientSide;
  }

  /** Looks at the files no more; what was made with it goes on with what was found last. */
  @Override
  public void close() {
    watcher.shutdownNow();
  }
}
