package org.maskedkd.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port of loopback behind which another one is, with faults between: connections are cut, bytes
 * delayed and damaged. Knows nothing of what the bytes mean. Two threads for each connection.
 */
final class FaultyWire implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FaultyWire.class);
  private static final int CHUNK_BYTES = 1 << 14;
  private static final int LONGEST_DELAY_MILLIS = 300;

  private final ServerSocket listening;
  private final InetSocketAddress target;
  private final FaultTimes faults;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

  private FaultyWire(ServerSocket listening, InetSocketAddress target, FaultTimes faults) {
    this.listening = listening;
    this.target = target;
    this.faults = faults;
  }

  /**
   * Listens on a free port.
   *
   * @param address HOST:PORT of what is behind it, which need not serve yet
   */
  static FaultyWire before(String address, FaultTimes faults) throws IOException {
    int colon = address.lastIndexOf(':');
    FaultyWire wire =
        new FaultyWire(
            new ServerSocket(0, 50, InetAddress.getLoopbackAddress()),
            new InetSocketAddress(
                address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))),
            faults);
    start(wire::accept, "faulty-wire");
    return wire;
  }

  private static void start(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  /** Where to connect to. */
  String address() {
    return "127.0.0.1:" + listening.getLocalPort();
  }

  private void accept() {
    while (!listening.isClosed()) {
      try {
        Socket near = listening.accept();
        sockets.add(near);
        start(() -> join(near), "faulty-wire-out");
      } catch (IOException e) {
        log.debug("accepts no more: {}", e.toString());
      }
    }
  }

  private void join(Socket near) {
    Socket far = new Socket();
    sockets.add(far);
    try {
      far.connect(target);
      far.setTcpNoDelay(true);
      near.setTcpNoDelay(true);
      start(() -> pump(far, near), "faulty-wire-in");
      pump(near, far);
    } catch (IOException e) {
      log.debug("nothing behind {}: {}", address(), e.toString());
      end(near, far);
    }
  }

  /** Carries bytes until either end is gone. */
  private void pump(Socket from, Socket to) {
    byte[] chunk = new byte[CHUNK_BYTES];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
        @Nullable NetworkFault fault = faults.take(/* ofMessages= */ false);
        if (fault == NetworkFault.CUT) {
          out.write(chunk, 0, faults.below(count));
          return;
        } else if (fault == NetworkFault.DELAY) {
          TimeUnit.MILLISECONDS.sleep(faults.below(LONGEST_DELAY_MILLIS));
        } else if (fault == NetworkFault.CORRUPT) {
          chunk[faults.below(count)] ^= (byte) (1 << faults.below(Byte.SIZE));
        }
        out.write(chunk, 0, count);
      }
    } catch (IOException e) {
      log.debug("a connection ended: {}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      end(from, to);
    }
  }

  private void end(Socket one, Socket other) {
    for (Socket socket : new Socket[] {one, other}) {
      sockets.remove(socket);
      try {
        socket.close();
      } catch (IOException e) {
        log.debug("a socket was closed already: {}", e.toString());
      }
    }
  }

  @Override
  public void close() throws IOException {
    listening.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
