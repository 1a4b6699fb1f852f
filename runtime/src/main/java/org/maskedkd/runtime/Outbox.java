package org.maskedkd.runtime;

import io.grpc.stub.CallStreamObserver;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * The writing end of a stream that any thread may use. gRPC's observers take one writer at a time
 * and buffer without limit when the peer reads slowly; this one hands a message over only while the
 * transport is ready and keeps the rest in order. What waits here is bounded by whoever sends: a
 * step's window, or a teacher's credit.
 *
 * @param <T> the message type
 */
public final class Outbox<T> {
  private final CallStreamObserver<T> stream;
  private final Queue<T> waiting = new ArrayDeque<>();
  private boolean completing;
  private boolean ended;

  /**
   * Must be called before the stream's call method returns, since gRPC takes its ready handler only
   * then.
   */
  public Outbox(CallStreamObserver<T> stream) {
    this.stream = stream;
    stream.setOnReadyHandler(this::drain);
  }

  /** Sends {@code message} after all that was sent before; dropped when the stream has ended. */
  public synchronized void send(T message) {
    if (ended || completing) {
      return;
    }
    waiting.add(message);
    drain();
  }

  /** Ends the stream once everything sent before has left. */
  public synchronized void complete() {
    completing = true;
    drain();
  }

  /** Ends the stream at once with an error; what waits is dropped. */
  public synchronized void fail(Throwable cause) {
    if (!ended) {
      ended = true;
      waiting.clear();
      stream.onError(Failures.toStatus(cause));
    }
  }

  /** Marks the stream as gone, for when the peer has ended or cancelled it. */
  public synchronized void abandon() {
    ended = true;
    waiting.clear();
  }

  private synchronized void drain() {
    while (!ended && !waiting.isEmpty() && stream.isReady()) {
      stream.onNext(waiting.remove());
    }
    if (!ended && completing && waiting.isEmpty()) {
      ended = true;
      stream.onCompleted();
    }
  }
}
