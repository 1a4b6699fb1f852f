package org.maskedkd.cli;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A call whose messages are bytes, whatever they hold. */
final class RawStream {
  /** The call's end, as the last event. */
  record End(Status status) {}

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
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

  private final ClientCall<byte[], byte[]> call;
  private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
  private boolean over;

  RawStream(Channel channel, MethodDescriptor<?, ?> method, boolean reads) {
    call =
        channel.newCall(
            MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
                .setType(method.getType())
                .setFullMethodName(method.getFullMethodName())
                .build(),
            CallOptions.DEFAULT.withDeadlineAfter(5, TimeUnit.MINUTES));
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onMessage(byte[] message) {
            events.add(message);
            call.request(1);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            events.add(new End(status));
          }
        },
        new Metadata());
    if (reads) {
      call.request(1);
    }
  }

  void send(byte[] message) {
    if (!over) {
      call.sendMessage(message);
    }
  }

  void halfClose() {
    over = true;
    call.halfClose();
  }

  void cancel() {
    over = true;
    call.cancel("enough", null);
  }

  /** Bytes of the next message, an {@link End}, or null when nothing came in time. */
  @Nullable Object next(long millis) throws InterruptedException {
    return events.poll(millis, TimeUnit.MILLISECONDS);
  }

  /** Waits for the end. */
  Status end() throws InterruptedException {
    while (true) {
      Object event = events.poll(2, TimeUnit.MINUTES);
      if (event == null) {
        throw new AssertionError("a call did not end");
      }
      if (event instanceof End end) {
        return end.status();
      }
    }
  }
}
