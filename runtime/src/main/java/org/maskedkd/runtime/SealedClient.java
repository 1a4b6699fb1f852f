package org.maskedkd.runtime;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals what a channel's calls send and checks what they get. An answer that came before is
 * dropped; one that is damaged ends the call as if the connection were lost.
 */
final class SealedClient implements ClientInterceptor {
  private static final Logger log = LoggerFactory.getLogger(SealedClient.class);

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return SealedServer.concerns(method)
        ? new Call<>(
            method,
            next.newCall(method.toBuilder(Seal.MARSHALLER, Seal.MARSHALLER).build(), options))
        : next.newCall(method, options);
  }

  private static final class Call<Q, R> extends ClientCall<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private final ClientCall<Seal.Raw, Seal.Raw> raw;
    private final Seal.Numbers sent = new Seal.Numbers();

    Call(MethodDescriptor<Q, R> method, ClientCall<Seal.Raw, Seal.Raw> raw) {
      this.method = method;
      this.raw = raw;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      raw.start(new Answers<>(method, raw, listener), headers);
    }

    @Override
    public void sendMessage(Q message) {
      raw.sendMessage(sent.seal(message, method.getRequestMarshaller()));
    }

    @Override
    public void request(int count) {
      raw.request(count);
    }

    @Override
    public void cancel(@Nullable String message, @Nullable Throwable cause) {
      raw.cancel(message, cause);
    }

    @Override
    public void halfClose() {
      raw.halfClose();
    }

    @Override
    public void setMessageCompression(boolean enabled) {
      raw.setMessageCompression(enabled);
    }

    @Override
    public boolean isReady() {
      return raw.isReady();
    }

    @Override
    public io.grpc.Attributes getAttributes() {
      return raw.getAttributes();
    }
  }

  private static final class Answers<R> extends ClientCall.Listener<Seal.Raw> {
    private final MethodDescriptor<?, R> method;
    private final ClientCall<Seal.Raw, Seal.Raw> raw;
    private final ClientCall.Listener<R> listener;
    private final Seal.Numbers received = new Seal.Numbers();
    private @Nullable Status damaged;

    Answers(
        MethodDescriptor<?, R> method,
        ClientCall<Seal.Raw, Seal.Raw> raw,
        ClientCall.Listener<R> listener) {
      this.method = method;
      this.raw = raw;
      this.listener = listener;
    }

    @Override
    public void onHeaders(Metadata headers) {
      listener.onHeaders(headers);
    }

    @Override
    public void onMessage(Seal.Raw message) {
      if (damaged != null) {
        return;
      }
      try {
        InputStream opened = received.open(message);
        if (opened == null) {
          log.warn("dropped a message of {} that came twice", method.getFullMethodName());
          raw.request(1);
        } else {
          listener.onMessage(method.parseResponse(opened));
        }
      } catch (Seal.DamagedException e) {
        log.warn("{}: {}", method.getFullMethodName(), e.getMessage());
        damaged = Status.UNAVAILABLE.withDescription(e.getMessage()).withCause(e);
        raw.cancel(e.getMessage(), e);
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      listener.onClose(damaged == null ? status : damaged, trailers);
    }

    @Override
    public void onReady() {
      if (damaged == null) {
        listener.onReady();
      }
    }
  }
}
