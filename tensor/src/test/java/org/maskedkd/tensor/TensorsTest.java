package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class TensorsTest {
  @Test
  void fromBytes_bufferWithPosition_readsTheRemainingAndLeavesIt() {
    ByteBuffer buffer = ByteBuffer.allocate(20).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putInt(99).putFloat(1.5f).putFloat(-2).putFloat(3).putFloat(4e-3f).position(4);
    try (Scope scope = Scope.open()) {
      NDArray array = Tensors.fromBytes(scope.manager(), buffer, DataType.FLOAT32, 2, 2);
      assertThat(Tensors.floats(array)).containsExactly(1.5f, -2, 3, 4e-3f);
      assertThat(buffer.position()).isEqualTo(4);
    }
  }

  @Test
  void fromBytes_bufferReusedAfterwards_keepsTheFirstValues() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(8).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putLong(0, 7);
    try (Scope scope = Scope.open()) {
      NDArray array = Tensors.fromBytes(scope.manager(), buffer, DataType.INT64, 1);
      buffer.putLong(0, 8);
      assertThat(Tensors.longs(array)).containsExactly(7);
    }
  }

  @Test
  void fromBytes_wrongByteCount_namesBoth() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(
              () ->
                  Tensors.fromBytes(
                      scope.manager(), ByteBuffer.allocate(15), DataType.FLOAT32, 2, 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("shape [2, 2] of float32 takes 16 bytes, found 15");
      assertThatThrownBy(
              () -> Tensors.fromBytes(scope.manager(), ByteBuffer.allocate(4), DataType.UINT8, -4))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("negative");
    }
  }

  @Test
  void fromBytes_typeThatWouldAbortTheProcess_isRefused() {
    try (Scope scope = Scope.open()) {
      for (DataType type :
          new DataType[] {
            DataType.BFLOAT16, DataType.INT16, DataType.UINT32, DataType.STRING, DataType.UNKNOWN
          }) {
        assertThatThrownBy(
                () -> Tensors.fromBytes(scope.manager(), ByteBuffer.allocate(8), type, 4))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining(type.toString());
      }
    }
  }

  @Test
  void fromFloat16Bytes_knownPatterns_areDecoded() {
    ByteBuffer halves = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    // IEEE 754: 1, -2, the largest finite 65504, the smallest subnormal 2^-24.
    halves.putShort((short) 0x3C00).putShort((short) 0xC000);
    halves.putShort((short) 0x7BFF).putShort((short) 0x0001).flip();
    try (Scope scope = Scope.open()) {
      NDArray array = Tensors.fromFloat16Bytes(scope.manager(), halves, 4);
      assertThat(Tensors.floats(array)).containsExactly(1, -2, 65504, (float) Math.pow(2, -24));
    }
  }

  @Test
  void bytes_transposedArray_areRowMajor() {
    try (Scope scope = Scope.open()) {
      NDArray array = Tensors.of(scope.manager(), new int[] {1, 2, 3, 4, 5, 6}, 2, 3);
      assertThat(Tensors.ints(array.transpose())).containsExactly(1, 4, 2, 5, 3, 6);
      assertThat(Tensors.bytes(array).isReadOnly()).isTrue();
    }
  }

  @Test
  void bytes_emptyArray_isEmpty() {
    try (Scope scope = Scope.open()) {
      assertThat(Tensors.bytes(Tensors.of(scope.manager(), new float[0], 0, 3)).remaining())
          .isZero();
    }
  }

  @Test
  void floats_uint8Array_areItsUnsignedValues() {
    try (Scope scope = Scope.open()) {
      ByteBuffer bytes = ByteBuffer.wrap(new byte[] {0, 127, -1});
      NDArray array = Tensors.fromBytes(scope.manager(), bytes, DataType.UINT8, 3);
      assertThat(Tensors.floats(array)).containsExactly(0, 127, 255);
    }
  }

  @Test
  void copyInto_parameterWithView_isSeenThroughTheView() {
    try (Scope scope = Scope.open()) {
      NDArray target = Tensors.requireGradient(Tensors.zeros(scope.manager(), 2, 3));
      NDArray view = target.reshape(6);
      Tensors.copyInto(target, Tensors.of(scope.manager(), new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
      assertThat(Tensors.floats(view)).containsExactly(1, 2, 3, 4, 5, 6);
    }
  }

  @Test
  void copyInto_otherShape_namesBoth() {
    try (Scope scope = Scope.open()) {
      NDArray target = Tensors.zeros(scope.manager(), 2, 3);
      NDArray source = Tensors.zeros(scope.manager(), 3);
      assertThatThrownBy(() -> Tensors.copyInto(target, source))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("cannot copy shape (3) into shape (2, 3)");
    }
  }
}
