package org.maskedkd.tensor;

/**
 * The format that activations are computed in. bfloat16 has no DJL type: such an array reports
 * {@code UNKNOWN}, may only pass through {@link Ops}, and returns to float32 by {@link Ops#cast}.
 */
public enum Precision {
  FP32(6),
  BF16(15);

  /** libtorch's number for the dtype. */
  final int code;

  Precision(int code) {
    this.code = code;
  }
}
