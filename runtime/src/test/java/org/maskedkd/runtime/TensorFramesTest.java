package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.TensorFrames.Assembler;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

class TensorFramesTest {

  @Test
  void cut_randomTensorsOverTheWire_comeBackAsTheyWere() throws Exception {
    long seed = new Random().nextLong();
    System.out.println("TensorFramesTest seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 25; round++) {
      List<Tensor> sent = new ArrayList<>();
      List<byte[]> bytes = new ArrayList<>();
      for (int i = 0, count = random.nextInt(6); i < count; i++) {
        int rows = random.nextInt(4) == 0 ? 0 : 1 + random.nextInt(500);
        int columns = 1 + random.nextInt(1 << random.nextInt(13));
        byte[] expected = new byte[rows * columns];
        random.nextBytes(expected);
        bytes.add(expected);
        sent.add(TensorFrames.bytes("tensor-" + i, ByteBuffer.wrap(expected), rows, columns));
      }
      Assembler assembler = new Assembler(1 << 30);
      for (List<Tensor> group : TensorFrames.cut(sent)) {
        byte[] wire = MaskedMicroBatch.newBuilder().addAllTensors(group).build().toByteArray();
        assertThat(wire.length).isLessThanOrEqualTo(TensorFrames.FRAME_BYTES + 1000);
        MaskedMicroBatch.parseFrom(wire).getTensorsList().forEach(assembler::add);
      }
      Map<String, NamedTensor> received = assembler.finish();
      assertThat(received).hasSize(sent.size());
      for (int i = 0; i < sent.size(); i++) {
        NamedTensor tensor =
            TensorFrames.require(received, "tensor-" + i, DType.DTYPE_UINT8, -1, -1);
        byte[] actual = new byte[tensor.bytes().remaining()];
        tensor.bytes().get(actual);
        assertThat(Arrays.equals(actual, bytes.get(i))).as("tensor %s", i).isTrue();
        assertThat(tensor.shape())
            .containsExactly(sent.get(i).getShapeList().stream().mapToLong(d -> d).toArray());
      }
    }
  }

  @Test
  void floatsAndInts_acrossSeveralFrames_keepEveryValue() {
    float[] floats = new float[700_001];
    int[] ints = new int[300_000];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) Math.sin(i);
    }
    Arrays.setAll(ints, i -> i * 0x9E3779B9);
    Assembler assembler = new Assembler(1 << 24);
    for (List<Tensor> group :
        TensorFrames.cut(
            List.of(
                TensorFrames.bytes("odd", ByteBuffer.allocate(3), 3),
                TensorFrames.floats("f", floats, 700_001),
                TensorFrames.ints("i", ints, 3, 100_000)))) {
      group.forEach(assembler::add);
    }
    Map<String, NamedTensor> received = assembler.finish();
    assertThat(received.keySet()).containsExactly("odd", "f", "i");
    NamedTensor f = TensorFrames.require(received, "f", DType.DTYPE_FLOAT32, 700_001);
    assertThat(f.floats()).isEqualTo(floats);
    assertThat(TensorFrames.require(received, "i", DType.DTYPE_INT32, 3, -1).ints())
        .isEqualTo(ints);
    assertThat(f.data().size()).isEqualTo(2_800_004);
    assertThatThrownBy(() -> f.ints())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("DTYPE_FLOAT32")
        .hasMessageContaining("DTYPE_INT32");
  }

  @Test
  void require_missingOrDifferent_saysBoth() {
    Assembler assembler = new Assembler(100);
    assembler.add(TensorFrames.ints("kept", new int[6], 2, 3));
    Map<String, NamedTensor> received = assembler.finish();
    assertThatThrownBy(() -> TensorFrames.require(received, "logits", DType.DTYPE_FLOAT32, 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'logits'", "[kept]");
    assertThatThrownBy(() -> TensorFrames.require(received, "kept", DType.DTYPE_INT32, -1, 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 3]", "[-1, 4]");
    assertThatThrownBy(() -> TensorFrames.require(received, "kept", DType.DTYPE_FLOAT32, 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("INT32", "FLOAT32");
  }

  @Test
  void floats_onTheWire_areLittleEndian() {
    Tensor tensor = TensorFrames.floats("x", new float[] {1f, -2f}, 2);
    ByteBuffer expected = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    expected.putInt(0x3F800000).putInt(0xC0000000);
    assertThat(tensor.getData()).isEqualTo(ByteString.copyFrom(expected.array()));
  }

  @Test
  void cut_framesAsReceived_passThemOnUntouched() {
    Tensor whole = TensorFrames.bytes("x", ByteBuffer.allocate(5 << 19), 5 << 19);
    Assembler assembler = new Assembler(1 << 24);
    TensorFrames.cut(List.of(whole)).forEach(group -> group.forEach(assembler::add));
    List<Tensor> relayed =
        TensorFrames.cut(assembler.frames()).stream().flatMap(List::stream).toList();
    assertThat(relayed).hasSize(3);
    for (int i = 0; i < 3; i++) {
      assertThat(relayed.get(i)).isSameAs(assembler.frames().get(i));
    }
  }

  @Test
  void cut_nothing_isOneEmptyMessage() {
    assertThat(TensorFrames.cut(List.of())).isEqualTo(List.of(List.of()));
  }

  @Test
  void bytes_bufferChangedAfterwards_keepsWhatWasGiven() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(4).put(0, (byte) 7);
    Tensor tensor = TensorFrames.bytes("x", buffer, 4);
    buffer.put(0, (byte) 9);
    assertThat(tensor.getData().byteAt(0)).isEqualTo((byte) 7);
  }

  @Test
  void floats_shapeOfAnotherSize_isRefusedWithBothSizes() {
    assertThatThrownBy(() -> TensorFrames.floats("x", new float[5], 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("24 bytes")
        .hasMessageContaining("given 20");
  }

  private static Tensor frame(int dtype, long offset, int bytes, long... shape) {
    Tensor.Builder tensor =
        Tensor.newBuilder()
            .setName("x")
            .setDtypeValue(dtype)
            .setOffset(offset)
            .setData(ByteString.copyFrom(new byte[bytes]));
    for (long dimension : shape) {
      tensor.addShape(dimension);
    }
    return tensor.build();
  }

  private static final int U8 = DType.DTYPE_UINT8_VALUE;
  private static final int F32 = DType.DTYPE_FLOAT32_VALUE;

  static Stream<Arguments> malformed() {
    Tensor half = frame(U8, 0, 4, 8);
    return Stream.of(
        Arguments.of("no dtype", List.of(frame(0, 0, 4, 4)), List.of("type 0")),
        Arguments.of(
            "unknown dtype", List.of(frame(77, 0, 4, 4)), List.of("type 77", "float32 (4)")),
        Arguments.of(
            "negative", List.of(frame(U8, 0, 4, -4, -1)), List.of("dimension -4", "0 or more")),
        Arguments.of(
            "overflow",
            List.of(frame(F32, 0, 4, 1L << 40, 1L << 40)),
            List.of("1099511627776", Long.toString(Long.MAX_VALUE))),
        Arguments.of(
            "too large", List.of(frame(F32, 0, 4, 26)), List.of("104 bytes", "100 accepted")),
        Arguments.of(
            "too many dimensions",
            List.of(frame(U8, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
            List.of("9 dimensions", "most 8")),
        Arguments.of("too long", List.of(frame(U8, 0, 9, 8)), List.of("8 bytes", "hold 9")),
        Arguments.of(
            "starts late", List.of(frame(U8, 4, 4, 8)), List.of("gap", "byte 4", "expected 0")),
        Arguments.of(
            "negative offset", List.of(frame(U8, -1, 4, 8)), List.of("byte -1", "expected 0")),
        Arguments.of(
            "gap", List.of(half, frame(U8, 5, 3, 8)), List.of("gap", "byte 5", "expected 4")),
        Arguments.of(
            "overlap",
            List.of(half, frame(U8, 3, 4, 8)),
            List.of("overlaps", "byte 3", "expected 4")),
        Arguments.of(
            "duplicate", List.of(half, frame(U8, 4, 4, 8), half), List.of("twice", "8 bytes")),
        Arguments.of("other shape", List.of(half, frame(U8, 4, 4, 2, 4)), List.of("[2, 4]", "[8]")),
        Arguments.of(
            "other dtype", List.of(half, frame(F32, 4, 4, 8)), List.of("FLOAT32", "UINT8")),
        Arguments.of(
            "empty frame", List.of(half, frame(U8, 4, 0, 8)), List.of("empty", "byte 4 of 8")),
        Arguments.of(
            "split element", List.of(frame(F32, 0, 6, 8)), List.of("6 bytes", "element of 4")),
        Arguments.of("incomplete", List.of(half), List.of("4 of 8")),
        Arguments.of(
            "no name",
            List.of(half.toBuilder().setName("").build()),
            List.of("0 characters", "1 to 200")),
        Arguments.of(
            "long name",
            List.of(half.toBuilder().setName("n".repeat(201)).build()),
            List.of("201", "1 to 200")),
        Arguments.of(
            "too many",
            IntStream.rangeClosed(1, 257)
                .mapToObj(i -> frame(U8, 0, 0, 0).toBuilder().setName("n" + i).build())
                .toList(),
            List.of("257", "256")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("malformed")
  void assembler_malformedFrames_refusedWithBothValues(
      String what, List<Tensor> frames, List<String> said) {
    assertThatThrownBy(
            () -> {
              Assembler assembler = new Assembler(100);
              frames.forEach(assembler::add);
              assembler.finish();
            })
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(said.toArray(String[]::new));
  }
}
