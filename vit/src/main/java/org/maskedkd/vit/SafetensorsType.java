package org.maskedkd.vit;

import java.nio.ByteBuffer;

/**
 * Element types of a safetensors file. All are little-endian; only some can be read as floats or
 * longs.
 */
public enum SafetensorsType {
  BOOL(1),
  U8(1),
  I8(1),
  F8_E5M2(1),
  F8_E4M3(1),
  I16(2),
  U16(2),
  F16(2),
  BF16(2),
  I32(4),
  U32(4),
  F32(4),
  F64(8),
  I64(8),
  U64(8);

  private final int bytes;

  SafetensorsType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  boolean readsAsFloat() {
    return this == F16 || this == BF16 || this == F32 || this == F64;
  }

  boolean readsAsLong() {
    return this == U8 || this == I8 || this == I16 || this == I32 || this == I64;
  }

  /** The next element; only for types that {@link #readsAsFloat}. */
  float nextFloat(ByteBuffer from) {
    return switch (this) {
      case F16 -> HalfFloats.fromFloat16(from.getShort());
      case BF16 -> HalfFloats.fromBfloat16(from.getShort());
      case F32 -> from.getFloat();
      case F64 -> (float) from.getDouble();
      default -> throw new IllegalStateException(this + " does not read as float");
    };
  }

  /** The next element; only for types that {@link #readsAsLong}. */
  long nextLong(ByteBuffer from) {
    return switch (this) {
      case U8 -> Byte.toUnsignedLong(from.get());
      case I8 -> from.get();
      case I16 -> from.getShort();
      case I32 -> from.getInt();
      case I64 -> from.getLong();
      default -> throw new IllegalStateException(this + " does not read as long");
    };
  }

  /** Appends a float, rounded to nearest even; only for F32, F16 and BF16. */
  void putFloat(ByteBuffer to, float value) {
    switch (this) {
      case F32 -> to.putFloat(value);
      case F16 -> to.putShort(HalfFloats.toFloat16(value));
      case BF16 -> to.putShort(HalfFloats.toBfloat16(value));
      default ->
          throw new IllegalArgumentException(
              "weights are written as F32, F16 or BF16, not as " + this);
    }
  }
}
