package org.maskedkd.runtime;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Message;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.KnownLength;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What every message of a client passes before a service sees it: its size, how many fields it has,
 * whether it is a protocol buffer, and {@link MessageCheck}. Whatever does not pass ends the call
 * with a status in words; left to gRPC, a message that is too large would reset the stream, and one
 * that cannot be parsed would be an unknown error.
 */
final class Door {
  private static final Logger log = LoggerFactory.getLogger(Door.class);

  /**
   * Carries a refusal from the place where gRPC wants a message to the one that can end the call. A
   * client that sends it itself is refused in its own words.
   */
  private static final int REFUSAL = 536_870_911;

  private Door() {}

  /** {@code service}, behind the door. */
  static ServerServiceDefinition before(ServerServiceDefinition service) {
    ServerServiceDefinition.Builder guarded =
        ServerServiceDefinition.builder(service.getServiceDescriptor().getName());
    for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
      guarded.addMethod(guarded(method));
    }
    return ServerInterceptors.intercept(guarded.build(), new Refusing());
  }

  private static <Q, R> ServerMethodDefinition<Q, R> guarded(ServerMethodDefinition<Q, R> method) {
    MethodDescriptor<Q, R> plain = method.getMethodDescriptor();
    MethodDescriptor<Q, R> checked =
        plain.toBuilder().setRequestMarshaller(checking(plain.getRequestMarshaller())).build();
    return ServerMethodDefinition.create(checked, method.getServerCallHandler());
  }

  @SuppressWarnings("unchecked") // A prototype is of its marshaller's type.
  private static <Q> Marshaller<Q> checking(Marshaller<Q> plain) {
    return plain instanceof PrototypeMarshaller<Q> typed
            && typed.getMessagePrototype() instanceof Message prototype
        ? (Marshaller<Q>) new Checking<>((PrototypeMarshaller<Message>) typed, prototype)
        : plain;
  }

  private record Checking<T extends Message>(PrototypeMarshaller<T> plain, T prototype)
      implements Marshaller<T> {
    @Override
    public InputStream stream(T message) {
      return plain.stream(message);
    }

    @Override
    public T parse(InputStream stream) {
      try {
        byte[] bytes = bytes(stream);
        WireCount.check(bytes, prototype.getDescriptorForType());
        T message = parsed(bytes);
        MessageCheck.check(message);
        return message;
      } catch (IllegalArgumentException e) {
        return refusal(String.valueOf(e.getMessage()));
      } catch (IOException e) {
        return refusal(
            prototype.getDescriptorForType().getName()
                + " is no protocol buffer: "
                + e.getMessage());
      }
    }

    private static byte[] bytes(InputStream stream) throws IOException {
      // A message that was compressed does not know its length.
      int size = stream instanceof KnownLength ? stream.available() : 0;
      MessageLimits.requireRequest(size);
      byte[] bytes = stream.readNBytes(size > 0 ? size : MessageLimits.REQUEST_BYTES + 1);
      MessageLimits.requireRequest(bytes.length);
      return bytes;
    }

    @SuppressWarnings("unchecked") // A parser gives messages of its own type.
    private T parsed(byte[] bytes) throws IOException {
      CodedInputStream input = UnsafeByteOperations.unsafeWrap(bytes).newCodedInput();
      // Tensors share the array instead of being copied out of it.
      input.enableAliasing(true);
      T message = (T) prototype.getParserForType().parseFrom(input);
      input.checkLastTagWas(0);
      return message;
    }

    @SuppressWarnings("unchecked") // A builder gives messages of its own type.
    private T refusal(String words) {
      UnknownFieldSet.Field field =
          UnknownFieldSet.Field.newBuilder()
              .addLengthDelimited(ByteString.copyFromUtf8(words))
              .build();
      return (T)
          prototype
              .newBuilderForType()
              .setUnknownFields(UnknownFieldSet.newBuilder().addField(REFUSAL, field).build())
              .buildPartial();
    }
  }

  private static final class Refusing implements ServerInterceptor {
    @Override
    public <Q, R> Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      ServerCall<Q, R> once = new Once<>(call);
      return new Guarded<>(once, next.startCall(once, headers));
    }
  }

  /**
   * A call that ends once, whoever is first: the door, which refuses a message, or the service,
   * which answers on a thread of its own. gRPC would throw at the second.
   */
  private static final class Once<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private boolean closed;

    Once(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    public synchronized void sendHeaders(Metadata headers) {
      if (!closed) {
        super.sendHeaders(headers);
      }
    }

    @Override
    public synchronized void sendMessage(R message) {
      if (!closed) {
        super.sendMessage(message);
      }
    }

    @Override
    public synchronized void close(Status status, Metadata trailers) {
      if (!closed) {
        closed = true;
        super.close(status, trailers);
      }
    }
  }

  /** Ends the call when a message was refused, or the service failed on it. */
  private static final class Guarded<Q> extends SimpleForwardingServerCallListener<Q> {
    private final ServerCall<Q, ?> call;
    private boolean over;

    Guarded(ServerCall<Q, ?> call, Listener<Q> listener) {
      super(listener);
      this.call = call;
    }

    @Override
    public void onMessage(Q message) {
      if (over) {
        return;
      }
      if (message instanceof Message checked && checked.getUnknownFields().hasField(REFUSAL)) {
        String words =
            checked.getUnknownFields().getField(REFUSAL).getLengthDelimitedList().stream()
                .map(ByteString::toStringUtf8)
                .findFirst()
                .orElse("refused");
        log.warn("refused a message of {}: {}", name(), Quote.line(words));
        end(new IllegalArgumentException(words));
        return;
      }
      guard(() -> super.onMessage(message));
    }

    @Override
    public void onHalfClose() {
      if (!over) {
        guard(super::onHalfClose);
      }
    }

    @Override
    public void onReady() {
      if (!over) {
        guard(super::onReady);
      }
    }

    private String name() {
      return call.getMethodDescriptor().getFullMethodName();
    }

    private void guard(Runnable event) {
      try {
        event.run();
      } catch (RuntimeException | Error e) {
        // gRPC would answer with an unknown error and hand this to the thread's handler.
        log.error("{} failed", name(), e);
        end(e);
      }
    }

    private void end(Throwable why) {
      over = true;
      StatusRuntimeException status = Failures.toStatus(why);
      Metadata trailers = status.getTrailers();
      call.close(status.getStatus(), trailers == null ? new Metadata() : trailers);
      // The service must not wait for what comes no more.
      super.onCancel();
    }

    @Override
    public void onCancel() {
      if (!over) {
        over = true;
        super.onCancel();
      }
    }

    @Override
    public void onComplete() {
      if (!over) {
        super.onComplete();
      }
    }
  }
}
