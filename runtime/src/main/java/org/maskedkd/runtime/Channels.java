package org.maskedkd.runtime;

import io.grpc.ManagedChannel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import java.util.concurrent.TimeUnit;

/** Channels to stages. */
public final class Channels {
  private static final int KEEP_ALIVE_SECONDS = 30;
  private static final int KEEP_ALIVE_TIMEOUT_SECONDS = 20;

  private Channels() {}

  /**
   * A plaintext channel that connects when it is first used and again after a failure. Pings tell a
   * dead peer from a busy one.
   *
   * @param where such as {@code 127.0.0.1:9091} or {@code unix:/run/maskedkd/teacher.sock}
   * @return a channel that the caller shuts down
   * @throws RunException when the address is not one
   */
  public static ManagedChannel connect(String where) {
    return connect(where, Transport.eventLoop());
  }

  static ManagedChannel connect(String where, EventLoopGroup loop) {
    return StageAddress.parse(where)
        .channel()
        .usePlaintext()
        // A proxy set for downloads must not carry stage traffic.
        .proxyDetector(target -> null)
        .eventLoopGroup(loop)
        .withOption(ChannelOption.ALLOCATOR, Transport.allocator())
        .intercept(new SharingMarshaller.Interceptor())
        .flowControlWindow(Transport.FLOW_CONTROL_WINDOW_BYTES)
        .maxInboundMessageSize(Transport.MAX_MESSAGE_BYTES)
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        .build();
  }
}
