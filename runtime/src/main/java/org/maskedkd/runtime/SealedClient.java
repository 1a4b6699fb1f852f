package org.maskedkd.runtime;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals what a channel's calls send and checks what they get. An answer that came before is
 * dropped; one that is damaged ends the call as if the connection were lost, and so does silence.
 */
final class SealedClient implements ClientInterceptor {
  private static final Logger log = LoggerFactory.getLogger(SealedClient.class);

  /** As long as pings may go unanswered, and a little more. */
  static final int MOST_SILENT_BEATS = 6;

  private final Pulse pulse;

  SealedClient(Pulse pulse) {
    this.pulse = pulse;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return SealedServer.concerns(method)
        ? new Call<>(
            pulse,
            method,
            next.newCall(method.toBuilder(Seal.MARSHALLER, Seal.MARSHALLER).build(), options))
        : next.newCall(method, options);
  }

  private static final class Call<Q, R> extends ClientCall<Q, R> implements Pulse.Call {
    private final Pulse pulse;
    private final MethodDescriptor<Q, R> method;
    private final ClientCall<Seal.Raw, Seal.Raw> raw;
    private final Seal.Numbers sent = new Seal.Numbers();
    private final Pulse.Hearing hearing = new Pulse.Hearing(MOST_SILENT_BEATS);

    /** Nothing more can be sent. Guarded by this call, as everything that sends. */
    private boolean closed;

    private volatile @Nullable Status broken;

    Call(Pulse pulse, MethodDescriptor<Q, R> method, ClientCall<Seal.Raw, Seal.Raw> raw) {
      this.pulse = pulse;
      this.method = method;
      this.raw = raw;
    }

    @Override
    public synchronized void start(Listener<R> listener, Metadata headers) {
      // Before, since it may be over at once; a beat waits until it has started.
      pulse.add(this);
      raw.start(new Answers<>(this, listener), headers);
    }

    @Override
    public void beat() {
      synchronized (this) {
        if (!closed && raw.isReady()) {
          raw.sendMessage(sent.pulse());
        }
      }
      if (hearing.beat()) {
        breakOff(hearing.complaint(), null);
      }
    }

    /** Ends the call as if the connection were lost. */
    synchronized void breakOff(String why, @Nullable Throwable cause) {
      if (broken == null) {
        log.warn("{}: {}", method.getFullMethodName(), why);
        broken = Status.UNAVAILABLE.withDescription(why).withCause(cause);
        cancel(why, cause);
      }
    }

    void over() {
      pulse.remove(this);
      synchronized (this) {
        closed = true;
      }
    }

    @Override
    public synchronized void sendMessage(Q message) {
      if (broken != null) {
        // Who sends will learn of it by onClose; gRPC would throw.
        return;
      }
      raw.sendMessage(sent.seal(message, method.getRequestMarshaller()));
    }

    @Override
    public void request(int count) {
      hearing.asked(count);
      raw.request(count);
    }

    @Override
    public synchronized void cancel(@Nullable String message, @Nullable Throwable cause) {
      closed = true;
      raw.cancel(message, cause);
    }

    @Override
    public synchronized void halfClose() {
      closed = true;
      if (broken == null) {
        raw.halfClose();
      }
    }

    @Override
    public void setMessageCompression(boolean enabled) {
      raw.setMessageCompression(enabled);
    }

    @Override
    public boolean isReady() {
      return broken == null && raw.isReady();
    }

    @Override
    public io.grpc.Attributes getAttributes() {
      return raw.getAttributes();
    }
  }

  private static final class Answers<R> extends ClientCall.Listener<Seal.Raw> {
    private final Call<?, R> call;
    private final ClientCall.Listener<R> listener;
    private final Seal.Numbers received = new Seal.Numbers();

    Answers(Call<?, R> call, ClientCall.Listener<R> listener) {
      this.call = call;
      this.listener = listener;
    }

    @Override
    public void onHeaders(Metadata headers) {
      listener.onHeaders(headers);
    }

    @Override
    public void onMessage(Seal.Raw message) {
      if (call.broken != null) {
        return;
      }
      call.hearing.heard();
      try {
        Seal.Content content = received.open(message);
        if (content instanceof Seal.Fresh fresh) {
          listener.onMessage(call.method.parseResponse(fresh.message()));
          return;
        }
        if (content instanceof Seal.Repeated) {
          log.warn("dropped a message of {} that came twice", call.method.getFullMethodName());
        }
        call.request(1);
      } catch (Seal.DamagedException e) {
        call.breakOff(String.valueOf(e.getMessage()), e);
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      call.over();
      Status broken = call.broken;
      listener.onClose(broken == null ? status : broken, trailers);
    }

    @Override
    public void onReady() {
      if (call.broken == null) {
        listener.onReady();
      }
    }
  }
}
