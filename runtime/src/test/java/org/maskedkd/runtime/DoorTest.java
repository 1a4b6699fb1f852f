package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherProfiled;

/** Messages that no stage should see. */
class DoorTest {
  private static final class Serving extends TeacherGrpc.TeacherImplBase {
    @Override
    public void open(OpenTeacher request, StreamObserver<TeacherOpened> response) {
      response.onNext(TeacherOpened.newBuilder().setProtocolVersion(7).build());
      response.onCompleted();
    }

    @Override
    public void profile(ProfileTeacher request, StreamObserver<TeacherProfiled> response) {
      throw new IllegalStateException("a fault of the service");
    }
  }

  private final StageServer server =
      StageServer.listen("127.0.0.1:0").service(new Serving()).start();
  private final ManagedChannel channel = Channels.connect(server.address());

  @AfterEach
  void stop() {
    channel.shutdownNow();
    server.close();
  }

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

  /** The status of a call of {@code method} with these bytes as its message. */
  private Status send(MethodDescriptor<?, ?> method, byte[] bytes) {
    try {
      ClientCalls.blockingUnaryCall(
          channel,
          MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
              .setType(MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(method.getFullMethodName())
              .build(),
          CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS),
          bytes);
      return Status.OK;
    } catch (StatusRuntimeException e) {
      return e.getStatus();
    }
  }

  private Status open(byte[] bytes) {
    return send(TeacherGrpc.getOpenMethod(), bytes);
  }

  private void assertRefused(Status status, String... words) {
    assertThat(status.getCode()).as("%s", status).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(status.getDescription()).contains(words);
    assertThat(open(new byte[0])).isEqualTo(Status.OK);
  }

  @Test
  void message_largerThanAgreed_isRefusedInWords() {
    assertRefused(open(new byte[MessageLimits.REQUEST_BYTES + 1]), "2097152 bytes");
  }

  @Test
  void message_noProtocolBuffer_isRefusedInWords() {
    assertRefused(open(new byte[] {(byte) 0xff, 1, 2}), "OpenTeacher is no protocol buffer");
  }

  @Test
  void message_moreFieldsThanAnyPlan_isRefusedBeforeItIsParsed() {
    ByteArrayOutputStream tensors = new ByteArrayOutputStream();
    for (int i = 0; i <= WireCount.MOST_FIELDS; i++) {
      // An unknown field without content.
      tensors.write(15 << 3 | 2);
      tensors.write(0);
    }
    assertRefused(open(tensors.toByteArray()), "more than 300000 fields");
  }

  @Test
  void message_fieldsOutOfRange_areNamedWithExpectedAndFound() {
    assertRefused(
        open(OpenTeacher.newBuilder().setClasses(-3).build().toByteArray()),
        "maskedkd.v1.OpenTeacher.classes must be at least 0, found -3");
    assertRefused(
        open(OpenTeacher.newBuilder().setRun("a\nb").build().toByteArray()),
        "OpenTeacher.run must be one line of printable text, found 'a?b'");
    assertRefused(
        open(OpenTeacher.newBuilder().setRun("x".repeat(5000)).build().toByteArray()),
        "OpenTeacher.run must have at most 4096 characters, found 5000");
  }

  @Test
  void service_throws_endsTheCallInWords() {
    Status status =
        send(
            TeacherGrpc.getProfileMethod(),
            ProfileTeacher.newBuilder().setKept(1).build().toByteArray());
    assertThat(status.getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(status.getDescription()).contains("a fault of the service");
  }

  @Test
  void messageCheck_nested_looksInside() {
    MaskedMicroBatch wrong =
        MaskedMicroBatch.newBuilder().setKey(MicroBatchKey.newBuilder().setIndex(-1)).build();
    assertThat(catchThrowable(() -> MessageCheck.check(wrong)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("maskedkd.v1.MicroBatchKey.index must be at least 0, found -1");
  }

  @Test
  void connections_moreThanAdmitted_areClosedUntilOneEnds() throws IOException {
    String[] at = server.address().split(":", -1);
    List<Socket> guests = new ArrayList<>();
    try {
      for (int i = 0; i < Admission.MOST_CONNECTIONS; i++) {
        guests.add(new Socket(at[0], Integer.parseInt(at[1])));
      }
      try (Socket tooMany = new Socket(at[0], Integer.parseInt(at[1]))) {
        tooMany.setSoTimeout(30_000);
        assertThat(ended(tooMany)).isTrue();
      }
      for (Socket guest : guests) {
        guest.close();
      }
      // The server notices the ends one by one.
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      Status status = open(new byte[0]);
      while (!status.isOk() && System.nanoTime() < deadline) {
        channel.resetConnectBackoff();
        status = open(new byte[0]);
      }
      assertThat(status).isEqualTo(Status.OK);
    } finally {
      for (Socket guest : guests) {
        guest.close();
      }
    }
  }

  private static boolean ended(Socket socket) throws IOException {
    try {
      int read = 0;
      while (read >= 0) {
        read = socket.getInputStream().read();
      }
      return true;
    } catch (SocketException reset) {
      return true;
    }
  }
}
