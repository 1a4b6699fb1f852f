package org.maskedkd.runtime;

import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Channels to stages. */
public final class Channels {
  private static final int KEEP_ALIVE_SECONDS = 30;
  private static final int KEEP_ALIVE_TIMEOUT_SECONDS = 20;

  private Channels() {}

  /** {@link #connect(String, Tls)} without TLS. */
  public static ManagedChannel connect(String where) {
    return connect(where, /* tls= */ null);
  }

  /**
   * A channel that connects when it is first used and again after a failure. Pings tell a dead peer
   * from a busy one.
   *
   * @param where such as {@code 127.0.0.1:9091} or {@code unix:/run/maskedkd/teacher.sock}
   * @param tls what this process shows and whom it trusts, null for plaintext; never used for a
   *     socket file. Stays the caller's, and open as long as the channel
   * @return a channel that the caller shuts down
   * @throws RunException when the address is not one
   */
  public static ManagedChannel connect(String where, @Nullable Tls tls) {
    return connect(where, tls, Transport.eventLoop(), List.of());
  }

  /**
   * The same to one of the addresses that {@link StageName#resolve} found. With TLS the peer must
   * show a certificate for the name, not for the address.
   */
  public static ManagedChannel connect(StageName name, String address, @Nullable Tls tls) {
    return connect(address, name.authority(), tls, Transport.eventLoop(), List.of());
  }

  static ManagedChannel connect(
      String where, @Nullable Tls tls, EventLoopGroup loop, List<ClientInterceptor> interceptors) {
    StageAddress address = StageAddress.parse(where);
    return build(address.channel(tls), address.seals(), loop, interceptors);
  }

  /**
   * To one of the addresses of a name.
   *
   * @param authority {@code host:port} that the peer's certificate must be for
   */
  static ManagedChannel connect(
      String where,
      String authority,
      @Nullable Tls tls,
      EventLoopGroup loop,
      List<ClientInterceptor> interceptors) {
    StageAddress address = StageAddress.parse(where);
    return build(
        address.channel(tls).overrideAuthority(authority), address.seals(), loop, interceptors);
  }

  private static ManagedChannel build(
      NettyChannelBuilder builder,
      boolean seals,
      EventLoopGroup loop,
      List<ClientInterceptor> interceptors) {
    if (seals) {
      builder.intercept(new SealedClient(Pulse.ofProcess()));
    }
    return builder
        // A proxy set for downloads must not carry stage traffic.
        .proxyDetector(target -> null)
        .eventLoopGroup(loop)
        .withOption(ChannelOption.ALLOCATOR, Transport.allocator())
        // The last one is the first to see a call: a seal is opened before an answer is read.
        .intercept(new SharingMarshaller.Interceptor())
        .intercept(interceptors)
        .flowControlWindow(Transport.FLOW_CONTROL_WINDOW_BYTES)
        .maxInboundMessageSize(Transport.MAX_MESSAGE_BYTES)
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        .build();
  }
}
