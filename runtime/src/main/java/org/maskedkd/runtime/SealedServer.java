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
import java.io.InputStream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals what a service answers and checks what it is asked. A message that came before is dropped;
 * one that is damaged ends the call: the service sees it as cancelled, the client as a lost
 * connection.
 */
final class SealedServer {
  private static final Logger log = LoggerFactory.getLogger(SealedServer.class);
  private static final String OURS = "maskedkd.v1.";

  private SealedServer() {}

  /** Whether this method's messages are sealed; health checks come from other programs. */
  static boolean concerns(MethodDescriptor<?, ?> method) {
    return method.getFullMethodName().startsWith(OURS);
  }

  /** The service as it is to be served. */
  static ServerServiceDefinition of(ServerServiceDefinition service) {
    ServerServiceDefinition.Builder sealed =
        ServerServiceDefinition.builder(service.getServiceDescriptor().getName());
    service.getMethods().forEach(method -> add(method, sealed));
    return sealed.build();
  }

  private static <Q, R> void add(
      ServerMethodDefinition<Q, R> method, ServerServiceDefinition.Builder sealed) {
    MethodDescriptor<Q, R> plain = SharingMarshaller.requests(method.getMethodDescriptor());
    if (!concerns(plain)) {
      sealed.addMethod(method);
      return;
    }
    ServerCallHandler<Q, R> handler = method.getServerCallHandler();
    sealed.addMethod(
        plain.toBuilder(Seal.MARSHALLER, Seal.MARSHALLER).build(),
        (raw, headers) -> {
          Call<Q, R> call = new Call<>(plain, raw);
          return new Requests<>(call, handler.startCall(call, headers));
        });
  }

  private static final class Call<Q, R> extends ServerCall<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private final ServerCall<Seal.Raw, Seal.Raw> raw;
    private final Seal.Numbers sent = new Seal.Numbers();

    /** Ended here, which the service may not know yet. */
    private volatile boolean broken;

    Call(MethodDescriptor<Q, R> method, ServerCall<Seal.Raw, Seal.Raw> raw) {
      this.method = method;
      this.raw = raw;
    }

    /** Ends the call at once. */
    void breakOff(String why) {
      broken = true;
      StatusRuntimeException status = Failures.toStatus(new RunException(ExitCode.PEER_AWAY, why));
      raw.close(
          status.getStatus(), Objects.requireNonNullElseGet(status.getTrailers(), Metadata::new));
    }

    @Override
    public void request(int count) {
      if (!broken) {
        raw.request(count);
      }
    }

    @Override
    public void sendHeaders(Metadata headers) {
      if (!broken) {
        raw.sendHeaders(headers);
      }
    }

    @Override
    public void sendMessage(R message) {
      if (!broken) {
        raw.sendMessage(sent.seal(message, method.getResponseMarshaller()));
      }
    }

    @Override
    public void close(Status status, Metadata trailers) {
      if (!broken) {
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

    Requests(Call<Q, ?> call, ServerCall.Listener<Q> listener) {
      this.call = call;
      this.listener = listener;
    }

    @Override
    public void onMessage(Seal.Raw message) {
      if (call.broken) {
        return;
      }
      try {
        InputStream opened = received.open(message);
        if (opened == null) {
          log.warn("dropped a message of {} that came twice", call.method.getFullMethodName());
          call.request(1);
        } else {
          listener.onMessage(call.method.parseRequest(opened));
        }
      } catch (Seal.DamagedException e) {
        log.warn("{}: {}", call.method.getFullMethodName(), e.getMessage());
        call.breakOff(String.valueOf(e.getMessage()));
        listener.onCancel();
      }
    }

    @Override
    public void onHalfClose() {
      if (!call.broken) {
        listener.onHalfClose();
      }
    }

    @Override
    public void onCancel() {
      if (!call.broken) {
        listener.onCancel();
      }
    }

    @Override
    public void onComplete() {
      if (!call.broken) {
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
