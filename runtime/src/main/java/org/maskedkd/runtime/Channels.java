package org.maskedkd.runtime;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
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
   * @param hostPort such as {@code 127.0.0.1:9091}
   * @return a channel that the caller shuts down
   * @throws RunException when the address is not one
   */
  public static ManagedChannel connect(String hostPort) {
    HostPort address = HostPort.parse(hostPort);
    if (address.host().isEmpty() || address.port() == 0) {
      throw new RunException(
          ExitCode.USAGE,
          "address '"
              + hostPort
              + "' names no host and port to connect to, such as 127.0.0.1:9091");
    }
    return NettyChannelBuilder.forAddress(address.host(), address.port())
        .usePlaintext()
        // A proxy set for downloads must not carry stage traffic.
        .proxyDetector(target -> null)
        .eventLoopGroup(Transport.eventLoop())
        .channelType(Transport.channel())
        .flowControlWindow(Transport.FLOW_CONTROL_WINDOW_BYTES)
        .maxInboundMessageSize(Transport.MAX_MESSAGE_BYTES)
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        .build();
  }
}
