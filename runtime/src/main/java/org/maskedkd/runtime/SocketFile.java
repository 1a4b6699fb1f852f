package org.maskedkd.runtime;

import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * A Unix domain socket, written {@code unix:PATH}. Between processes of one machine it costs less
 * than half of what TCP does, and file permissions say who may connect.
 */
record SocketFile(Path path) implements StageAddress {
  static final String SCHEME = "unix:";

  /** What the system's structure has room for, without the zero at its end. */
  static final int MOST_BYTES = 107;

  static SocketFile parse(String text) {
    Path path;
    try {
      path = Path.of(text.substring(SCHEME.length()));
    } catch (InvalidPathException e) {
      throw wrong(text, "is no path: " + e.getReason());
    }
    if (path.toString().isEmpty() || path.getFileName() == null) {
      throw wrong(text, "names no file");
    }
    SocketFile file = new SocketFile(path.toAbsolutePath().normalize());
    if (!fits(file.path)) {
      throw wrong(
          text,
          "stands for "
              + file.path
              + ", which has "
              + bytes(file.path)
              + " bytes; the system takes at most "
              + MOST_BYTES);
    }
    if (!Transport.hasSocketFiles()) {
      throw new RunException(
          ExitCode.USAGE,
          "address '"
              + text
              + "' needs Linux and the native library of the network, which this process has not;"
              + " write HOST:PORT, such as 127.0.0.1:9091");
    }
    return file;
  }

  /** Whether the system takes this path for a socket. */
  static boolean fits(Path path) {
    return bytes(path) <= MOST_BYTES;
  }

  private static int bytes(Path path) {
    return path.toString().getBytes(StandardCharsets.UTF_8).length;
  }

  private static RunException wrong(String text, String fault) {
    return new RunException(
        ExitCode.USAGE,
        "address '" + text + "' " + fault + "; write unix:PATH, such as unix:/run/maskedkd/s.sock");
  }

  @Override
  public NettyChannelBuilder channel(@Nullable Tls tls) {
    return NettyChannelBuilder.forAddress(new DomainSocketAddress(path.toFile()))
        .channelFactory(LargeFrames.connecting(EpollDomainSocketChannel::new))
        // Such a socket has no such option, and would warn of it.
        .withOption(ChannelOption.SO_KEEPALIVE, null)
        .withOption(ChannelOption.TCP_NODELAY, null)
        // There is no host, but HTTP/2 wants its name.
        .overrideAuthority("localhost")
        .usePlaintext();
  }

  /** Removes what a process that was killed has left there. */
  @Override
  public NettyServerBuilder server(@Nullable Tls tls, boolean insecure) {
    Path folder = path.getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw unusable("there is no folder " + folder, null);
    }
    try {
      if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
        if (!Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
            .isOther()) {
          throw unusable("a file that is no socket is there", null);
        }
        if (answers()) {
          throw unusable("another process listens there", null);
        }
        Files.delete(path);
      }
    } catch (IOException e) {
      throw unusable(e.toString(), e);
    }
    return NettyServerBuilder.forAddress(new DomainSocketAddress(path.toFile()))
        .channelFactory(LargeFrames.accepting(EpollServerDomainSocketChannel::new))
        .withChildOption(ChannelOption.SO_KEEPALIVE, null)
        .withChildOption(ChannelOption.TCP_NODELAY, null);
  }

  private boolean answers() {
    try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      return probe.isConnected();
    } catch (IOException refused) {
      return false;
    }
  }

  private RunException unusable(String why, @Nullable IOException cause) {
    return new RunException(
        ExitCode.USAGE,
        "cannot listen on " + this + ": " + why + "; choose another path with --listen unix:PATH",
        cause);
  }

  /** What goes through it never leaves this machine's memory. */
  @Override
  public boolean seals() {
    return false;
  }

  /** Only this user may connect, whatever the folder lets others do. */
  @Override
  public String listening(SocketAddress socket) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    return toString();
  }

  @Override
  public RunException cannotListen(IOException failure, String option) {
    return unusable(String.valueOf(failure.getMessage()), failure);
  }

  @Override
  public String toString() {
    return SCHEME + path;
  }
}
