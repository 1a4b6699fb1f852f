package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.UnknownFieldSet;
import io.grpc.Drainable;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherSignal;

class SealTest {
  private static final MaskedMicroBatch MESSAGE =
      MaskedMicroBatch.newBuilder()
          .setKey(MicroBatchKey.newBuilder().setRun("r").setStep(7))
          .addTensors(TensorFrames.ints("kept_indices", new int[] {1, 5, 9}, 1, 3))
          .build();

  private final Seal.Numbers sent = new Seal.Numbers();
  private final Seal.Numbers received = new Seal.Numbers();

  private byte[] sealed() throws IOException {
    InputStream stream =
        sent.seal(MESSAGE, ProtoUtils.marshaller(MaskedMicroBatch.getDefaultInstance())).stream();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int announced = stream.available();
    assertThat(((Drainable) stream).drainTo(out)).isEqualTo(announced);
    return out.toByteArray();
  }

  private static Seal.Raw raw(byte[] bytes) {
    return Seal.MARSHALLER.parse(new ByteArrayInputStream(bytes));
  }

  /** The check value of the Castagnoli polynomial, bit by bit. */
  private static int crc32c(byte[] bytes) {
    int crc = -1;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc >>> 1) ^ ((crc & 1) * 0x82f63b78);
      }
    }
    return ~crc;
  }

  @Test
  void seal_message_isFollowedByAnUnknownFieldWithNumberAndChecksum() throws IOException {
    sealed();
    byte[] second = sealed();

    MaskedMicroBatch parsed = MaskedMicroBatch.parseFrom(second);
    UnknownFieldSet.Field field = parsed.getUnknownFields().getField(Seal.FIELD);
    assertThat(field.getFixed64List()).hasSize(1);
    long seal = field.getFixed64List().get(0);
    assertThat(seal >>> 32).isEqualTo(1);
    byte[] summed =
        ByteBuffer.allocate(second.length - Seal.BYTES + 4)
            .order(ByteOrder.LITTLE_ENDIAN)
            .put(MESSAGE.toByteArray())
            .putInt(1)
            .array();
    assertThat((int) seal).isEqualTo(crc32c(summed));
    assertThat(parsed.toBuilder().setUnknownFields(UnknownFieldSet.getDefaultInstance()).build())
        .isEqualTo(MESSAGE);
  }

  @Test
  void open_soundMessages_areTheSame() throws Exception {
    for (int i = 0; i < 3; i++) {
      Seal.Content opened = received.open(raw(sealed()));
      assertThat(((Seal.Fresh) opened).message()).hasBinaryContent(MESSAGE.toByteArray());
    }
  }

  @Test
  void open_anyBitTurnedOver_isNoticed() throws Exception {
    byte[] sound = sealed();
    for (int bit = 0; bit < sound.length * Byte.SIZE; bit++) {
      byte[] damaged = sound.clone();
      damaged[bit / Byte.SIZE] ^= (byte) (1 << bit % Byte.SIZE);
      assertThatThrownBy(() -> received.open(raw(damaged)))
          .as("bit %d", bit)
          .isInstanceOf(Seal.DamagedException.class);
    }
    for (int length = 0; length < sound.length; length++) {
      byte[] cut = Arrays.copyOf(sound, length);
      assertThatThrownBy(() -> received.open(raw(cut)))
          .as("%d bytes", length)
          .isInstanceOf(Seal.DamagedException.class);
    }
    assertThat(received.open(raw(sound))).isInstanceOf(Seal.Fresh.class);
  }

  @Test
  void open_messageThatCameBefore_isDropped() throws Exception {
    byte[] first = sealed();
    byte[] second = sealed();
    assertThat(received.open(raw(first))).isInstanceOf(Seal.Fresh.class);
    assertThat(received.open(raw(first))).isInstanceOf(Seal.Repeated.class);
    assertThat(received.open(raw(second))).isInstanceOf(Seal.Fresh.class);
    assertThat(received.open(raw(first))).isInstanceOf(Seal.Repeated.class);
  }

  @Test
  void open_messageThatOvertookAnother_isRefusedNamingBoth() throws Exception {
    sealed();
    byte[] second = sealed();
    assertThatThrownBy(() -> received.open(raw(second)))
        .isInstanceOf(Seal.DamagedException.class)
        .hasMessage("message 1 came where number 0 was expected");
  }

  /** Answers each micro-batch with its key, and tells when the call is cancelled. */
  private static final class Echo extends TeacherGrpc.TeacherImplBase {
    final CompletableFuture<String> cancelled = new CompletableFuture<>();

    @Override
    public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> out) {
      ((ServerCallStreamObserver<TeacherSignal>) out)
          .setOnCancelHandler(() -> cancelled.complete("cancelled"));
      return new StreamObserver<>() {
        @Override
        public void onNext(MaskedMicroBatch message) {
          out.onNext(TeacherSignal.newBuilder().setKey(message.getKey()).build());
        }

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {
          out.onCompleted();
        }
      };
    }
  }

  private static Object answerOf(ManagedChannel channel) throws Exception {
    CompletableFuture<Object> answer = new CompletableFuture<>();
    TeacherGrpc.newStub(channel)
        .supervise(
            new StreamObserver<>() {
              @Override
              public void onNext(TeacherSignal signal) {
                answer.complete(signal);
              }

              @Override
              public void onError(Throwable t) {
                answer.complete(t);
              }

              @Override
              public void onCompleted() {
                answer.complete("completed");
              }
            })
        .onNext(MESSAGE);
    return answer.get(1, TimeUnit.MINUTES);
  }

  @Test
  void stageServer_messageWithoutASeal_endsTheCallAsIfTheConnectionWereLost() throws Exception {
    Echo echo = new Echo();
    try (StageServer server = StageServer.listen("127.0.0.1:0").service(echo).start()) {
      ManagedChannel sealing = Channels.connect(server.address());
      ManagedChannel plain = NettyChannelBuilder.forTarget(server.address()).usePlaintext().build();
      try {
        assertThat(answerOf(sealing))
            .isEqualTo(TeacherSignal.newBuilder().setKey(MESSAGE.getKey()).build());

        StatusRuntimeException refused = (StatusRuntimeException) answerOf(plain);

        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(refused).hasMessageContaining("without a checksum");
        assertThat(Failures.fromStatus(refused, "it").exitCode()).isEqualTo(ExitCode.PEER_AWAY);
        assertThat(echo.cancelled.get(1, TimeUnit.MINUTES)).isEqualTo("cancelled");
      } finally {
        sealing.shutdownNow();
        plain.shutdownNow();
      }
    }
  }
}
