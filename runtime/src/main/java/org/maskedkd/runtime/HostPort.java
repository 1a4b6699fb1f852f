package org.maskedkd.runtime;

import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/**
 * An address as users write it: {@code host:port}, {@code [::1]:port}, or {@code :port} for every
 * interface.
 */
record HostPort(String host, int port) implements StageAddress {

  static HostPort parse(String text) {
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? text : text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (colon < 0 || (host.contains(":") && !bracketed)) {
      throw wrong(text, "a colon and a port at the end");
    }
    int port;
    try {
      port = Integer.parseInt(text.substring(colon + 1));
    } catch (NumberFormatException e) {
      throw wrong(text, "a number as port");
    }
    if (port < 0 || port > 65535) {
      throw wrong(text, "a port from 0 to 65535");
    }
    return new HostPort(bracketed ? host.substring(1, host.length() - 1) : host, port);
  }

  private static RunException wrong(String text, String lacks) {
    return new RunException(
        ExitCode.USAGE,
        "address '" + text + "' lacks " + lacks + "; write HOST:PORT, such as 127.0.0.1:9091");
  }

  InetSocketAddress resolve() {
    if (host.isEmpty() || host.equals("*")) {
      return new InetSocketAddress(port);
    }
    try {
      return new InetSocketAddress(InetAddress.getByName(host), port);
    } catch (UnknownHostException e) {
      throw new RunException(ExitCode.USAGE, "host '" + host + "' is not known on this machine", e);
    }
  }

  @Override
  public NettyChannelBuilder channel(@Nullable Tls tls) {
    if (host.isEmpty() || port == 0) {
      throw new RunException(
          ExitCode.USAGE,
          "address '" + this + "' names no host and port to connect to, such as 127.0.0.1:9091");
    }
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(host, port)
            .channelFactory(LargeFrames.connecting(Transport::channel));
    return tls == null ? builder.usePlaintext() : builder.sslContext(tls.clientSide());
  }

  @Override
  public NettyServerBuilder server(@Nullable Tls tls, boolean insecure) {
    InetSocketAddress socket = resolve();
    if (tls == null && !insecure && !socket.getAddress().isLoopbackAddress()) {
      throw new RunException(
          ExitCode.USAGE,
          "refusing to listen on "
              + this
              + ": it is not a loopback address, and anybody who reaches it could read and steer this stage;"
              + " give it certificates (--tls-cert, --tls-key, --tls-ca), listen on 127.0.0.1,"
              + " or add --insecure if the network is trusted");
    }
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(socket)
            .channelFactory(HandshakeLog.logged(LargeFrames.accepting(Transport::serverChannel)));
    return tls == null ? builder : builder.sslContext(tls.serverSide());
  }

  @Override
  public boolean seals() {
    return true;
  }

  /** A server on every interface is reached on loopback, too. */
  @Override
  public String listening(SocketAddress socket) {
    InetSocketAddress found = (InetSocketAddress) socket;
    String name = found.getAddress().isAnyLocalAddress() ? "127.0.0.1" : host;
    return new HostPort(name, found.getPort()).toString();
  }

  @Override
  public RunException cannotListen(IOException failure, String option) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      String said = String.valueOf(t.getMessage());
      if (t instanceof BindException || said.contains("Address already in use")) {
        boolean inUse = said.contains("in use");
        return new RunException(
            ExitCode.USAGE,
            inUse
                ? "port "
                    + port
                    + " of "
                    + host
                    + " is in use by another process; choose another with "
                    + option
                    + " HOST:PORT (port 0 takes a free one)"
                : "cannot listen on "
                    + this
                    + " ("
                    + said
                    + "); choose another with "
                    + option
                    + " HOST:PORT",
            failure);
      }
    }
    return new RunException(
        ExitCode.USAGE,
        "cannot listen on "
            + this
            + " ("
            + failure.getMessage()
            + "); choose another with "
            + option
            + " HOST:PORT",
        failure);
  }

  @Override
  public String toString() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
