package org.maskedkd.student;

import org.maskedkd.tensor.Precision;

/** The wire's precisions as the engine's. */
final class Precisions {
  private Precisions() {}

  static Precision of(org.maskedkd.proto.v1.Precision wire) {
    return switch (wire) {
      case PRECISION_FP32 -> Precision.FP32;
      case PRECISION_BF16 -> Precision.BF16;
      case PRECISION_UNSPECIFIED, UNRECOGNIZED ->
          throw new IllegalArgumentException(
              "student.precision must be fp32 or bf16, found " + wire);
    };
  }
}
