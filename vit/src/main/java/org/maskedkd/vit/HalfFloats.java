package org.maskedkd.vit;

/**
 * The two 16-bit float formats, which Java 17 does not know. Rounding is to nearest, ties to even.
 */
final class HalfFloats {

  private HalfFloats() {}

  /** bfloat16 is the upper half of a float. */
  static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      // Rounding could carry a NaN whose payload is all in the lower half over into infinity.
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  static float fromFloat16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >>> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      // Zero and subnormals are multiples of 2^-24, which a float holds exactly.
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);
    return Float.intBitsToFloat(sign | (wide << 23) | (fraction << 13));
  }

  static short toFloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    // 65520 lies half-way between the largest finite value and the next power of two.
    if (magnitude >= 65520f) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x1p-14f) {
      // Adding 0.5 leaves a float's last bit worth 2^-24, the unit of a subnormal, so the addition
      // rounds as wanted.
      int units = Float.floatToRawIntBits(magnitude + 0.5f) - Float.floatToRawIntBits(0.5f);
      return (short) (sign | units);
    }
    int rebased = (bits & 0x7fffffff) - ((127 - 15) << 23);
    return (short) (sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13));
  }
}
