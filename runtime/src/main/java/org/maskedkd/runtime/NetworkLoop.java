package org.maskedkd.runtime;

import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.netty.channel.ManualIoEventLoop;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Connections that the thread which made this serves by itself, whenever it has nothing better to
 * do. For a process that mostly passes on what it receives: between two threads every message would
 * cost a wake-up each way, which on a virtual machine is dearer than copying it.
 *
 * <p>Nothing is sent or received while the thread is elsewhere, except that what was written leaves
 * with {@link #flush}. Only {@link #wake} may be called from other threads.
 */
public final class NetworkLoop implements AutoCloseable {
  private static final long CLOSING_SECONDS = 1;

  private final ManualIoEventLoop loop =
      new ManualIoEventLoop(Thread.currentThread(), Transport.ioHandlers());

  private final List<ClientInterceptor> interceptors;

  /** Of the calling thread. */
  public NetworkLoop() {
    interceptors = List.of();
  }

  /**
   * Of the calling thread.
   *
   * @param metrics gets what its calls send and receive, and how they end
   */
  public NetworkLoop(Metrics metrics) {
    interceptors = new CallMetrics(metrics).ofClient();
  }

  /** As {@link Channels#connect(String, Tls)}, served here. */
  public ManagedChannel connect(String where, @Nullable Tls tls) {
    return Channels.connect(where, tls, loop, interceptors);
  }

  /**
   * A channel to one of the addresses that {@link StageName#resolve} found, served here. With TLS
   * the peer must show a certificate for the name, not for the address.
   */
  public ManagedChannel connect(StageName name, String address, @Nullable Tls tls) {
    return Channels.connect(address, name.authority(), tls, loop, interceptors);
  }

  /**
   * Serves the connections once, waiting until there is something to do, {@link #wake} is called or
   * the time is over.
   *
   * @param nanos the longest wait, more than 0; {@code Long.MAX_VALUE} for no end
   */
  public void run(long nanos) {
    loop.run(nanos == Long.MAX_VALUE ? 0 : nanos);
  }

  /** Sends what was written, without looking for anything that has arrived. */
  public void flush() {
    loop.runNonBlockingTasks(0);
  }

  /** Ends the wait of {@link #run}, or the next one if it does not wait now. */
  public void wake() {
    // A task, since the loop's own wake-up is lost on a loop that is just about to wait.
    loop.execute(() -> {});
  }

  /** Closes what is still connected. Channels are to be shut down before. */
  @Override
  public void close() {
    loop.shutdownGracefully(0, CLOSING_SECONDS, TimeUnit.SECONDS);
    while (!loop.isTerminated()) {
      loop.runNow();
    }
  }
}
