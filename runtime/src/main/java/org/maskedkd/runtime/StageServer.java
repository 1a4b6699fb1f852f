package org.maskedkd.runtime;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The gRPC server of a stage: on loopback unless it has TLS or is told otherwise, with the standard
 * health service. Every method may be called from any thread.
 */
public final class StageServer implements AutoCloseable {
  // Shorter than the channels' keep-alive, or their pings would be answered with GOAWAY.
  private static final int PERMIT_KEEP_ALIVE_SECONDS = 20;
  private static final int GRACE_SECONDS = 2;

  // Finds out that a client's machine is gone, so that what is kept for it can be let go. Clients
  // may be busy, and even stopped, for a while.
  private static final int KEEP_ALIVE_SECONDS = 300;
  private static final int KEEP_ALIVE_TIMEOUT_SECONDS = 60;

  // A coordinator has a call all the time.
  private static final int IDLE_MINUTES = 5;

  // A coordinator has its stream, one call that waits and one for the clock.
  private static final int MOST_CALLS = 8;
  private static final int MOST_RESETS = 500;
  private static final int RESET_WINDOW_SECONDS = 30;

  private final Server server;
  private final String address;
  private final HealthStatusManager health;
  private final @Nullable Tls tls;

  private StageServer(
      Server server, String address, HealthStatusManager health, @Nullable Tls tls) {
    this.server = server;
    this.address = address;
    this.health = health;
    this.tls = tls;
  }

  /**
   * A server to be.
   *
   * @param where such as {@code 127.0.0.1:0}, where port 0 takes a free one, or {@code
   *     unix:/run/maskedkd/teacher.sock}
   */
  public static Builder listen(String where) {
    return new Builder(StageAddress.parse(where));
  }

  /** What is, or was, listened on, for {@link Channels#connect}. */
  public String address() {
    return address;
  }

  /** Takes no new calls and reports itself as not serving; calls under way go on. */
  public void stopAccepting() {
    if (server.isShutdown()) {
      return;
    }
    health.enterTerminalState();
    server.shutdown();
  }

  /** Stops: calls under way get {@value #GRACE_SECONDS} s to end, then they are cut. */
  @Override
  public void close() {
    close(Duration.ofSeconds(GRACE_SECONDS));
  }

  /** Stops: calls under way get so long to end, then they are cut. */
  public void close(Duration grace) {
    stopAccepting();
    try {
      if (!server.awaitTermination(grace.toNanos(), TimeUnit.NANOSECONDS)) {
        server.shutdownNow().awaitTermination(GRACE_SECONDS, TimeUnit.SECONDS);
      }
    } catch (InterruptedException e) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    }
    if (tls != null) {
      tls.close();
    }
  }

  /** Collects what the server serves. */
  public static final class Builder {
    private final StageAddress address;
    private final List<BindableService> services = new ArrayList<>();
    private @Nullable Tls tls;
    private @Nullable Metrics metrics;
    private boolean insecure;

    private Builder(StageAddress address) {
      this.address = address;
    }

    @CanIgnoreReturnValue
    public Builder service(BindableService service) {
      services.add(service);
      return this;
    }

    /**
     * What clients must trust and be trusted by; never used on a socket file.
     *
     * @param tls is closed with the server; null for plaintext
     */
    @CanIgnoreReturnValue
    public Builder tls(@Nullable Tls tls) {
      this.tls = tls;
      return this;
    }

    /**
     * What gets how calls end and what they send and receive.
     *
     * @param metrics stays the caller's
     */
    @CanIgnoreReturnValue
    public Builder metrics(Metrics metrics) {
      this.metrics = metrics;
      return this;
    }

    /** Whether an address that others can reach may be listened on without TLS. */
    @CanIgnoreReturnValue
    public Builder insecure(boolean insecure) {
      this.insecure = insecure;
      return this;
    }

    /**
     * Listens.
     *
     * @throws RunException (usage) when the address is in use, or is not loopback and neither
     *     {@link #tls} nor {@link #insecure} was set
     */
    public StageServer start() {
      HealthStatusManager health = new HealthStatusManager();
      NettyServerBuilder builder =
          address
              .server(tls, insecure)
              .bossEventLoopGroup(Transport.eventLoop())
              .workerEventLoopGroup(Transport.eventLoop())
              .withChildOption(ChannelOption.ALLOCATOR, Transport.allocator())
              .flowControlWindow(Transport.FLOW_CONTROL_WINDOW_BYTES)
              .maxInboundMessageSize(Transport.MAX_MESSAGE_BYTES)
              .permitKeepAliveTime(PERMIT_KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
              .permitKeepAliveWithoutCalls(true)
              .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
              .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
              .maxConnectionIdle(IDLE_MINUTES, TimeUnit.MINUTES)
              .maxConcurrentCallsPerConnection(MOST_CALLS)
              .maxRstFramesPerWindow(MOST_RESETS, RESET_WINDOW_SECONDS)
              .addService(health.getHealthService());
      if (metrics != null) {
        CallMetrics calls = new CallMetrics(metrics);
        builder.intercept(calls.ofServer()).addStreamTracerFactory(calls.serverBytes());
      }
      for (BindableService service : services) {
        var definition = Door.before(service.bindService());
        builder.addService(
            address.seals() ? SealedServer.of(definition, Pulse.ofProcess()) : definition);
        health.setStatus(definition.getServiceDescriptor().getName(), ServingStatus.SERVING);
      }
      try {
        Server server = builder.build().start();
        return new StageServer(
            server, address.listening(server.getListenSockets().get(0)), health, tls);
      } catch (IOException e) {
        throw address.cannotListen(e, "--listen");
      }
    }
  }
}
