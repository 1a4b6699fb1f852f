package org.maskedkd.coordinator;

import com.google.protobuf.MessageLite;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.MessageLimits;

/**
 * A call with messages both ways, as the event loop sees it. Messages wait here while gRPC is not
 * ready to take them; how many can come together is bounded by the schedule's window, because
 * nothing is sent that no sample in flight stands behind. After {@link #cancel} nothing is heard of
 * it any more.
 */
final class DuplexStream<Q extends MessageLite, R> implements ClientResponseObserver<Q, R> {

  private final EventLoop loop;
  private final int limit;
  private final Consumer<R> onMessage;
  private final Consumer<Throwable> onEnd;
  private final Deque<Q> waiting = new ArrayDeque<>();
  private @Nullable ClientCallStreamObserver<Q> requests;
  private boolean closed;

  /**
   * To be passed to the method of an asynchronous stub whose executor is {@code loop}.
   *
   * @param limit bytes of the largest message that the peer takes, see {@link MessageLimits#agree}
   * @param onEnd gets why the stream ended, also when the peer ended it in order; not called after
   *     {@link #cancel}
   */
  DuplexStream(EventLoop loop, int limit, Consumer<R> onMessage, Consumer<Throwable> onEnd) {
    this.loop = loop;
    this.limit = limit;
    this.onMessage = onMessage;
    this.onEnd = onEnd;
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<Q> stream) {
    requests = stream;
    stream.setOnReadyHandler(() -> loop.guard(this::drain));
  }

  void send(Q message) {
    MessageLimits.requireFits(
        message.getClass().getSimpleName(), message.getSerializedSize(), limit);
    waiting.add(message);
    drain();
  }

  private void drain() {
    ClientCallStreamObserver<Q> stream = Objects.requireNonNull(requests, "stream not started");
    while (!closed && !waiting.isEmpty() && stream.isReady()) {
      stream.onNext(waiting.remove());
    }
  }

  @Override
  public void onNext(R message) {
    if (!closed) {
      loop.guard(() -> onMessage.accept(message));
    }
  }

  @Override
  public void onError(Throwable t) {
    end(t);
  }

  @Override
  public void onCompleted() {
    end(Status.UNAVAILABLE.withDescription("it ended the stream").asRuntimeException());
  }

  private void end(Throwable why) {
    if (!closed) {
      closed = true;
      waiting.clear();
      loop.guard(() -> onEnd.accept(why));
    }
  }

  /** Ends the call at once. Repeating it does nothing. */
  void cancel(String reason) {
    if (!closed) {
      closed = true;
      waiting.clear();
      if (requests != null) {
        requests.cancel(reason, null);
      }
    }
  }
}
