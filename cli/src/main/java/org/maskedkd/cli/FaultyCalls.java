package org.maskedkd.cli;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.HandlerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A gRPC server that passes every call on to another one, message by message, with faults between:
 * messages come twice, or behind the one that follows them. Does not look into them.
 */
final class FaultyCalls implements AutoCloseable {
  /** What nothing follows is passed on after so long. */
  private static final long HELD_MILLIS = 20;

  private static final int MOST_BYTES = 16 << 20;

  private final ManagedChannel channel;
  private final FaultTimes faults;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "faulty-calls");
            thread.setDaemon(true);
            return thread;
          });
  private final Server server;

  private FaultyCalls(String address, FaultTimes faults) throws IOException {
    this.faults = faults;
    this.channel =
        NettyChannelBuilder.forTarget(address)
            .usePlaintext()
            .maxInboundMessageSize(MOST_BYTES)
            .build();
    this.server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .maxInboundMessageSize(MOST_BYTES)
            .permitKeepAliveTime(1, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .fallbackHandlerRegistry(
                new HandlerRegistry() {
                  @Override
                  public ServerMethodDefinition<?, ?> lookupMethod(
                      String name, @Nullable String authority) {
                    return ServerMethodDefinition.create(
                        method(name), (call, headers) -> new Passing(call, headers).requests());
                  }
                })
            .build()
            .start();
  }

  /**
   * Serves on a free port of loopback.
   *
   * @param address HOST:PORT of what is behind it, which need not serve yet
   */
  static FaultyCalls before(String address, FaultTimes faults) throws IOException {
    return new FaultyCalls(address, faults);
  }

  /** Where to connect to. */
  String address() {
    return "127.0.0.1:" + server.getPort();
  }

  private static MethodDescriptor<byte[], byte[]> method(String name) {
    return MethodDescriptor.<byte[], byte[]>newBuilder()
        .setFullMethodName(name)
        .setType(MethodDescriptor.MethodType.UNKNOWN)
        .setRequestMarshaller(Bytes.INSTANCE)
        .setResponseMarshaller(Bytes.INSTANCE)
        .build();
  }

  private enum Bytes implements MethodDescriptor.Marshaller<byte[]> {
    INSTANCE;

    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** One direction of a call. */
  private final class Way {
    private final Consumer<byte[]> out;
    private byte @Nullable [] held;
    private boolean closed;

    Way(Consumer<byte[]> out) {
      this.out = out;
    }

    synchronized void pass(byte[] message) {
      if (closed) {
        return;
      }
      NetworkFault fault = faults.take(/* ofMessages= */ true);
      if (fault == NetworkFault.REORDER && held == null) {
        held = message;
        var unused = timer.schedule(this::release, HELD_MILLIS, TimeUnit.MILLISECONDS);
        return;
      }
      out.accept(message);
      if (fault == NetworkFault.DUPLICATE) {
        out.accept(message);
      }
      release();
    }

    synchronized void release() {
      byte[] late = held;
      held = null;
      if (late != null && !closed) {
        out.accept(late);
      }
    }

    synchronized void abandon(Runnable how) {
      held = null;
      closed = true;
      how.run();
    }

    synchronized void end(Runnable how) {
      release();
      if (!closed) {
        closed = true;
        how.run();
      }
    }
  }

  /** One call: its two ways and what joins them. */
  private final class Passing {
    private final ServerCall<byte[], byte[]> near;
    private final ClientCall<byte[], byte[]> far;
    private final Way there;
    private final Way back;

    Passing(ServerCall<byte[], byte[]> near, Metadata headers) {
      this.near = near;
      // What is behind may just have been started again.
      channel.resetConnectBackoff();
      far = channel.newCall(near.getMethodDescriptor(), CallOptions.DEFAULT);
      there = new Way(far::sendMessage);
      back = new Way(near::sendMessage);
      far.start(answers(), headers);
      near.request(1);
      far.request(1);
    }

    ServerCall.Listener<byte[]> requests() {
      return new ServerCall.Listener<>() {
        @Override
        public void onMessage(byte[] message) {
          there.pass(message);
          near.request(1);
        }

        @Override
        public void onHalfClose() {
          there.end(far::halfClose);
        }

        @Override
        public void onCancel() {
          there.abandon(() -> far.cancel("the caller is gone", null));
        }
      };
    }

    private ClientCall.Listener<byte[]> answers() {
      return new ClientCall.Listener<>() {
        @Override
        public void onHeaders(Metadata headers) {
          near.sendHeaders(headers);
        }

        @Override
        public void onMessage(byte[] message) {
          back.pass(message);
          far.request(1);
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
          back.end(() -> near.close(status, trailers));
        }
      };
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
    channel.shutdownNow();
    timer.shutdownNow();
  }
}
