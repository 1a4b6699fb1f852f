package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class HalfFloatsTest {

  @Test
  void float16_everyBitPattern_hasTheDefinedValueAndComesBack() {
    for (int bits = 0; bits < 0x10000; bits++) {
      int exponent = (bits >> 10) & 31;
      int fraction = bits & 1023;
      float value = HalfFloats.fromFloat16((short) bits);
      if (exponent == 31 && fraction != 0) {
        assertThat(value).isNaN();
        assertThat(HalfFloats.fromFloat16(HalfFloats.toFloat16(value))).isNaN();
        continue;
      }
      double magnitude =
          exponent == 31
              ? Double.POSITIVE_INFINITY
              : exponent == 0
                  ? fraction * Math.pow(2, -24)
                  : (1 + fraction / 1024.0) * Math.pow(2, exponent - 15);
      assertThat((double) value).isEqualTo(bits >= 0x8000 ? -magnitude : magnitude);
      assertThat(HalfFloats.toFloat16(value)).isEqualTo((short) bits);
    }
  }

  @Test
  void float16_betweenTwoValues_roundsToTheNearerAndTiesToEven() {
    long seed = 4;
    SplittableRandom random = new SplittableRandom(seed);
    for (int trial = 0; trial < 20_000; trial++) {
      int lower = random.nextInt(0x7bff);
      double below = HalfFloats.fromFloat16((short) lower);
      double above = HalfFloats.fromFloat16((short) (lower + 1));
      double middle = (below + above) / 2;
      assertThat(HalfFloats.toFloat16((float) middle))
          .as("tie above %#x", lower)
          .isEqualTo((short) (lower + (lower & 1)));
      assertThat(HalfFloats.toFloat16(Math.nextDown((float) middle))).isEqualTo((short) lower);
      assertThat(HalfFloats.toFloat16(Math.nextUp((float) middle))).isEqualTo((short) (lower + 1));
    }
    assertThat(HalfFloats.toFloat16(65519.996f)).isEqualTo((short) 0x7bff);
    assertThat(HalfFloats.toFloat16(65520f)).isEqualTo((short) 0x7c00);
    assertThat(HalfFloats.toFloat16(-1e30f)).isEqualTo((short) 0xfc00);
  }

  @Test
  void bfloat16_everyBitPattern_comesBackAndTiesGoToEven() {
    for (int bits = 0; bits < 0x10000; bits++) {
      float value = HalfFloats.fromBfloat16((short) bits);
      if (Float.isNaN(value)) {
        assertThat(HalfFloats.fromBfloat16(HalfFloats.toBfloat16(value))).isNaN();
        continue;
      }
      assertThat(HalfFloats.toBfloat16(value)).isEqualTo((short) bits);
      if (!Float.isInfinite(value)) {
        float tie = Float.intBitsToFloat((bits << 16) | 0x8000);
        assertThat(HalfFloats.toBfloat16(tie)).isEqualTo((short) (bits + (bits & 1)));
        float nearer = Float.intBitsToFloat((bits << 16) | 0x7fff);
        assertThat(HalfFloats.toBfloat16(nearer)).isEqualTo((short) bits);
      }
    }
    float nanInTheLowerHalf = Float.intBitsToFloat(0x7f80_0001);
    assertThat(HalfFloats.fromBfloat16(HalfFloats.toBfloat16(nanInTheLowerHalf))).isNaN();
  }
}
