package org.maskedkd.runtime;

import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/** Where a stage serves: on a port, or on a socket file of this machine. */
sealed interface StageAddress permits HostPort, SocketFile {

  /**
   * The address that a user wrote.
   *
   * @throws RunException (usage) when it is not one
   */
  static StageAddress parse(String text) {
    return text.startsWith(SocketFile.SCHEME) ? SocketFile.parse(text) : HostPort.parse(text);
  }

  /**
   * A channel to it.
   *
   * @param tls null for none; a socket file needs none
   * @throws RunException (usage) when nobody could be there
   */
  NettyChannelBuilder channel(@Nullable Tls tls);

  /**
   * A server on it.
   *
   * @param tls null for none; a socket file needs none
   * @throws RunException (usage) when that cannot be, or other users could connect without TLS and
   *     {@code insecure} is not set
   */
  NettyServerBuilder server(@Nullable Tls tls, boolean insecure);

  /**
   * Whether messages are sealed on the way to it, against what a network may do to them. Both ends
   * must know, so this depends on nothing but the kind of address.
   */
  boolean seals();

  /**
   * Called as soon as it is listened on.
   *
   * @param socket what the system says it is
   * @return the address as a client may write it
   */
  String listening(SocketAddress socket) throws IOException;

  /** Why this address cannot be listened on, in words. */
  RunException cannotListen(IOException failure, String option);
}
