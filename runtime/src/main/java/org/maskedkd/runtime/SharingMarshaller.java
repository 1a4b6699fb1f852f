package org.maskedkd.runtime;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;

/**
 * Reads a message into one array and lets its byte fields share that array. gRPC's own marshaller
 * reads it into an array too, and then copies every field out of it, which for a relay of tensors
 * is all that it does.
 *
 * <p>A field that is kept keeps the whole message's bytes.
 */
final class SharingMarshaller<T extends MessageLite> implements PrototypeMarshaller<T> {
  private final PrototypeMarshaller<T> plain;
  private final T prototype;

  private SharingMarshaller(PrototypeMarshaller<T> plain, T prototype) {
    this.plain = plain;
    this.prototype = prototype;
  }

  /** For the answers of every call of a channel. */
  static final class Interceptor implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      return next.newCall(
          method.toBuilder().setResponseMarshaller(sharing(method.getResponseMarshaller())).build(),
          options);
    }
  }

  /** For what a service is asked. */
  static <Q, R> MethodDescriptor<Q, R> requests(MethodDescriptor<Q, R> method) {
    return method.toBuilder().setRequestMarshaller(sharing(method.getRequestMarshaller())).build();
  }

  @SuppressWarnings("unchecked") // A prototype is of its marshaller's type.
  private static <T> MethodDescriptor.Marshaller<T> sharing(MethodDescriptor.Marshaller<T> plain) {
    return plain instanceof PrototypeMarshaller<T> typed
            && typed.getMessagePrototype() instanceof MessageLite prototype
        ? (MethodDescriptor.Marshaller<T>)
            new SharingMarshaller<>((PrototypeMarshaller<MessageLite>) typed, prototype)
        : plain;
  }

  @Override
  public InputStream stream(T message) {
    return plain.stream(message);
  }

  @Override
  @SuppressWarnings("unchecked") // A parser gives messages of its own type.
  public T parse(InputStream stream) {
    try {
      byte[] bytes;
      int length;
      if (stream instanceof Seal.Opened opened) {
        // Nobody else has this array.
        bytes = opened.array();
        length = opened.available();
      } else if (stream instanceof KnownLength) {
        length = stream.available();
        bytes = new byte[length];
        int read = stream.readNBytes(bytes, 0, bytes.length);
        if (read != bytes.length) {
          throw new IOException(
              "a message of " + bytes.length + " bytes ended after " + read + " of them");
        }
      } else {
        bytes = stream.readAllBytes();
        length = bytes.length;
      }
      CodedInputStream input = UnsafeByteOperations.unsafeWrap(bytes, 0, length).newCodedInput();
      input.enableAliasing(true);
      T message = (T) prototype.getParserForType().parseFrom(input);
      input.checkLastTagWas(0);
      return message;
    } catch (InvalidProtocolBufferException e) {
      throw Status.INTERNAL
          .withDescription("the peer's message is no protocol buffer: " + e.getMessage())
          .withCause(e)
          .asRuntimeException();
    } catch (IOException e) {
      throw Status.INTERNAL
          .withDescription("a message could not be read: " + e.getMessage())
          .withCause(e)
          .asRuntimeException();
    }
  }

  @Override
  public Class<T> getMessageClass() {
    return plain.getMessageClass();
  }

  @Override
  public T getMessagePrototype() {
    return prototype;
  }
}
