package org.maskedkd.runtime;

import com.google.protobuf.MessageLite;
import io.grpc.stub.CallStreamObserver;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * The writing end of a stream that any thread may use. gRPC's observers take one writer at a time
 * and buffer without limit when the peer reads slowly; this one hands a message over only while the
 * transport is ready and keeps the rest in order. What waits here is bounded by whoever sends: a
 * step's window, or a teacher's credit; or by {@link #awaitRoom}.
 *
 * @param <T> the message type
 */
public final class Outbox<T extends MessageLite> {
  /** What a message takes in memory besides its bytes. */
  private static final int MESSAGE_BYTES = 512;

  private final CallStreamObserver<T> stream;
  private final Queue<T> waiting = new ArrayDeque<>();
  private long waitingBytes;
  private int limit = MessageLimits.ANSWER_BYTES;
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

  /**
   * What the peer accepts; a larger message ends the stream, in words.
   *
   * @param bytes what {@link MessageLimits#agree} gave
   */
  public synchronized void limit(int bytes) {
    limit = bytes;
  }

  /** Sends {@code message} after all that was sent before; dropped when the stream has ended. */
  public synchronized void send(T message) {
    if (ended || completing) {
      return;
    }
    int bytes = message.getSerializedSize();
    try {
      MessageLimits.requireFits(message.getClass().getSimpleName(), bytes, limit);
    } catch (RunException tooLarge) {
      fail(tooLarge);
      return;
    }
    waiting.add(message);
    waitingBytes += bytes + MESSAGE_BYTES;
    drain();
  }

  /**
   * Waits while more than {@code bytes} wait for a peer that reads slowly; not at all once the
   * stream has ended. For a sender that nothing else holds back.
   */
  public synchronized void awaitRoom(long bytes) throws InterruptedException {
    while (!ended && waitingBytes > bytes) {
      wait();
    }
  }

  /** How many messages wait for a peer that reads slowly. */
  public synchronized int waiting() {
    return waiting.size();
  }

  /** How much memory those messages take. */
  public synchronized long waitingBytes() {
    return waitingBytes;
  }

  /** Ends the stream once everything sent before has left. */
  public synchronized void complete() {
    completing = true;
    drain();
  }

  /** Ends the stream at once with an error; what waits is dropped. */
  public synchronized void fail(Throwable cause) {
    if (!ended) {
      drop();
      stream.onError(Failures.toStatus(cause));
    }
  }

  /** Marks the stream as gone, for when the peer has ended or cancelled it. */
  public synchronized void abandon() {
    drop();
  }

  private void drop() {
    ended = true;
    waiting.clear();
    waitingBytes = 0;
    notifyAll();
  }

  private synchronized void drain() {
    while (!ended && !waiting.isEmpty() && stream.isReady()) {
      T next = waiting.remove();
      waitingBytes -= next.getSerializedSize() + MESSAGE_BYTES;
      stream.onNext(next);
      notifyAll();
    }
    if (!ended && completing && waiting.isEmpty()) {
      ended = true;
      notifyAll();
      stream.onCompleted();
    }
  }
}
