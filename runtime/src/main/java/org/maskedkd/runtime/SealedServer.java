package org.maskedkd.runtime;

import io.grpc.Attributes;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.SecurityLevel;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals what a service answers and checks what it is asked. A message that came before is dropped;
 * one that is damaged ends the call, and so does silence: the service sees it as cancelled, the
 * client as a lost connection.
 */
final class SealedServer {
  private static final Logger log = LoggerFactory.getLogger(SealedServer.class);
  private static final String OURS = "maskedkd.v1.";

  /** More than clients have, which may have been stopped for a while. */
  static final int MOST_SILENT_BEATS = 9;

  private SealedServer() {}

  /** Whether this method's messages are sealed; health checks come from other programs. */
  static boolean concerns(MethodDescriptor<?, ?> method) {
    return method.getFullMethodName().startsWith(OURS);
  }

  /** The service as it is to be served. */
  static ServerServiceDefinition of(ServerServiceDefinition service, Pulse pulse) {
    ServerServiceDefinition.Builder sealed =
        ServerServiceDefinition.builder(service.getServiceDescriptor().getName());
    service.getMethods().forEach(method -> add(method, sealed, pulse));
    return sealed.build();
  }

  private static <Q, R> void add(
      ServerMethodDefinition<Q, R> method, ServerServiceDefinition.Builder sealed, Pulse pulse) {
    MethodDescriptor<Q, R> plain = SharingMarshaller.requests(method.getMethodDescriptor());
    if (!concerns(plain)) {
      sealed.addMethod(method);
      return;
    }
    ServerCallHandler<Q, R> handler = method.getServerCallHandler();
    sealed.addMethod(
        plain.toBuilder(Seal.MARSHALLER, Seal.MARSHALLER)
            // A call with one answer has signs of life before it.
            .setType(MethodDescriptor.MethodType.UNKNOWN)
            .build(),
        (raw, headers) -> {
          Call<Q, R> call = new Call<>(pulse, plain, raw);
          Requests<Q> requests = new Requests<>(call, handler.startCall(call, headers));
          pulse.add(call);
          return requests;
        });
  }

  private static final class Call<Q, R> extends ServerCall<Q, R> implements Pulse.Call {
    private final Pulse pulse;
    private final MethodDescriptor<Q, R> method;
    private final ServerCall<Seal.Raw, Seal.Raw> raw;
    private final Seal.Numbers sent = new Seal.Numbers();
    private final Pulse.Hearing hearing = new Pulse.Hearing(MOST_SILENT_BEATS);

    /** Guarded by this call, as everything that sends. */
    private boolean headersSent;

    private boolean closed;

    /** The client has said all it wanted to. */
    private volatile boolean complete;

    /** Ended here, which the service may not know yet. */
    private volatile boolean broken;

    Call(Pulse pulse, MethodDescriptor<Q, R> method, ServerCall<Seal.Raw, Seal.Raw> raw) {
      this.pulse = pulse;
      this.method = method;
      this.raw = raw;
    }

    @Override
    public void beat() {
      synchronized (this) {
        if (!closed && raw.isReady() && !raw.isCancelled()) {
          sendHeaders(new Metadata());
          raw.sendMessage(sent.pulse());
        }
      }
      if (!complete && hearing.beat()) {
        breakOff(hearing.complaint());
      }
    }

    /** Ends the call at once. */
    synchronized void breakOff(String why) {
      if (!closed) {
        log.warn("{}: {}", method.getFullMethodName(), why);
        StatusRuntimeException status =
            Failures.toStatus(new RunException(ExitCode.PEER_AWAY, why));
        close(
            status.getStatus(), Objects.requireNonNullElseGet(status.getTrailers(), Metadata::new));
        broken = true;
      }
    }

    void over() {
      pulse.remove(this);
    }

    @Override
    public void request(int count) {
      if (!broken) {
        hearing.asked(count);
        raw.request(count);
      }
    }

    @Override
    public synchronized void sendHeaders(Metadata headers) {
      if (!closed && !headersSent) {
        headersSent = true;
        raw.sendHeaders(headers);
      }
    }

    @Override
    public synchronized void sendMessage(R message) {
      if (!closed) {
        raw.sendMessage(sent.seal(message, method.getResponseMarshaller()));
      }
    }

    @Override
    public synchronized void close(Status status, Metadata trailers) {
      if (!closed) {
        closed = true;
        raw.close(status, trailers);
      }
    }

    @Override
    public boolean isReady() {
      return !broken && raw.isReady();
    }

    @Override
    public boolean isCancelled() {
      return broken || raw.isCancelled();
    }

    @Override
    public void setMessageCompression(boolean enabled) {
      raw.setMessageCompression(enabled);
    }

    @Override
    public void setCompression(String compressor) {
      raw.setCompression(compressor);
    }

    @Override
    public SecurityLevel getSecurityLevel() {
      return raw.getSecurityLevel();
    }

    @Override
    public Attributes getAttributes() {
      return raw.getAttributes();
    }

    @Override
    public @Nullable String getAuthority() {
      return raw.getAuthority();
    }

    @Override
    public MethodDescriptor<Q, R> getMethodDescriptor() {
      return method;
    }
  }

  private static final class Requests<Q> extends ServerCall.Listener<Seal.Raw> {
    private final Call<Q, ?> call;
    private final ServerCall.Listener<Q> listener;
    private final Seal.Numbers received = new Seal.Numbers();

    /** The service knows that nothing more comes. */
    private boolean told;

    Requests(Call<Q, ?> call, ServerCall.Listener<Q> listener) {
      this.call = call;
      this.listener = listener;
    }

    @Override
    public void onMessage(Seal.Raw message) {
      if (call.broken) {
        return;
      }
      call.hearing.heard();
      try {
        Seal.Content content = received.open(message);
        if (content instanceof Seal.Fresh fresh) {
          listener.onMessage(call.method.parseRequest(fresh.message()));
          return;
        }
        if (content instanceof Seal.Repeated) {
          log.warn("dropped a message of {} that came twice", call.method.getFullMethodName());
        }
        call.request(1);
      } catch (Seal.DamagedException e) {
        call.breakOff(String.valueOf(e.getMessage()));
        tellCancelled();
      }
    }

    private void tellCancelled() {
      if (!told) {
        told = true;
        listener.onCancel();
      }
    }

    @Override
    public void onHalfClose() {
      call.complete = true;
      if (!call.broken) {
        listener.onHalfClose();
      }
    }

    @Override
    public void onCancel() {
      call.over();
      tellCancelled();
    }

    @Override
    public void onComplete() {
      call.over();
      if (call.broken) {
        tellCancelled();
      } else {
        listener.onComplete();
      }
    }

    @Override
    public void onReady() {
      if (!call.broken) {
        listener.onReady();
      }
    }
  }
}
