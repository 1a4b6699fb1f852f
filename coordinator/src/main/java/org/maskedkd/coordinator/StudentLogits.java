package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;

/**
 * A student's logits, or gradients with respect to them, each {@code [samples, classes]} row-major.
 *
 * @param main those that it is supervised by and, unless there are others, distilled to; with
 *     separate heads the class head's
 * @param distillation the distillation head's; null unless heads are separate
 */
// The arrays are handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
public record StudentLogits(float[] main, float @Nullable [] distillation) {

  /** Those of a student whose heads, if there are several, are one. */
  public StudentLogits(float[] main) {
    this(main, null);
  }

  /** Zeros of the same shape. */
  StudentLogits blank() {
    return new StudentLogits(
        new float[main.length], distillation == null ? null : new float[distillation.length]);
  }
}
