package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** A bfloat16 has 8 bits: one rounding is off by 2^-9 of the value, a short chain by a few. */
class BFloat16Test {
  private static final double ROUNDING = 1.0 / 512;

  private static NDArray normal(Scope scope, long seed, long... shape) {
    return Tensors.of(scope.manager(), Reference.normal(new SplittableRandom(seed), shape), shape);
  }

  private static void assertNear(NDArray x, UnaryOperator<NDArray> op, int roundings) {
    NDArray rounded = Ops.cast(Ops.cast(x, Precision.BF16), Precision.FP32);
    double[] expected = Reference.widen(Tensors.floats(op.apply(rounded)));
    NDArray found = op.apply(Ops.cast(x, Precision.BF16));
    assertThat(found.getDataType()).isEqualTo(DataType.UNKNOWN);
    Reference.assertClose("bfloat16", Tensors.floats(found), expected, roundings * ROUNDING);
  }

  @Test
  void operators_bfloat16Activations_stayNearFloat32() {
    try (Scope scope = Scope.open();
        GradMode off = GradMode.off()) {
      NDArray x = normal(scope, 1, 2, 17, 96);
      NDArray weight = normal(scope, 2, 64, 96);
      NDArray bias = normal(scope, 3, 64);
      NDArray scale = normal(scope, 4, 96);
      NDArray sample = Tensors.of(scope.manager(), new float[] {0, 1.25f}, 2, 1, 1);
      assertNear(x, a -> Ops.linear(a, weight, bias), 4);
      assertNear(x, a -> Ops.linear(a, weight, null), 4);
      assertNear(x, a -> Ops.layerNorm(a, scale, scale, 1e-6), 4);
      assertNear(x, Ops::gelu, 2);
      for (AttentionKernel kernel : AttentionKernel.values()) {
        assertNear(x, a -> Ops.selfAttention(a, 4, kernel), 6);
      }
      assertNear(x, a -> Ops.residual(a, a, scale, sample), 4);
      assertNear(x, a -> Ops.withPrefix(List.of(normal(scope, 5, 1, 1, 96)), a), 2);
    }
  }

  @Test
  void classAttention_bfloat16Projection_isComputedInFloat32() {
    try (Scope scope = Scope.open()) {
      NDArray qkv = Ops.cast(normal(scope, 6, 2, 17, 96), Precision.BF16);
      NDArray found = Ops.classAttention(qkv, 4);
      assertThat(found.getDataType()).isEqualTo(DataType.FLOAT32);
      NDArray widened = Ops.classAttention(Ops.cast(qkv, Precision.FP32), 4);
      assertThat(Tensors.floats(found)).isEqualTo(Tensors.floats(widened));
    }
  }

  @Test
  void backward_bfloat16Activations_givesFloat32GradientsNearFloat32() {
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      NDArray x = normal(scope, 7, 8, 32);
      NDArray weight = Tensors.requireGradient(normal(scope, 8, 16, 32));
      NDArray bias = Tensors.requireGradient(normal(scope, 9, 16));
      NDArray cotangent = normal(scope, 10, 8, 16);
      try (Gradients gradients = new Gradients(List.of(weight, bias))) {
        Gradients.backward(Ops.linear(x, weight, bias), cotangent);
        double[] exact = Reference.widen(Tensors.floats(gradients.of(0)));
        gradients.zero();
        NDArray y = Ops.linear(Ops.cast(x, Precision.BF16), weight, bias);
        Gradients.backward(Ops.cast(y, Precision.FP32), cotangent);
        assertThat(gradients.of(0).getDataType()).isEqualTo(DataType.FLOAT32);
        Reference.assertClose("weight", Tensors.floats(gradients.of(0)), exact, 6 * ROUNDING);
      }
    }
  }

  @Test
  void backward_bfloat16Attention_staysNearFloat32() {
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      NDArray qkv =
          Ops.cast(Ops.cast(normal(scope, 11, 2, 17, 96), Precision.BF16), Precision.FP32);
      NDArray leaf = Tensors.requireGradient(qkv);
      NDArray cotangent =
          Ops.cast(Ops.cast(normal(scope, 12, 2, 17, 32), Precision.BF16), Precision.FP32);
      try (Gradients gradients = new Gradients(List.of(leaf))) {
        Gradients.backward(Ops.selfAttention(leaf, 4, AttentionKernel.PLAIN), cotangent);
        double[] exact = Reference.widen(Tensors.floats(gradients.of(0)));
        gradients.zero();
        NDArray y = Ops.selfAttention(Ops.cast(leaf, Precision.BF16), 4);
        Gradients.backward(Ops.cast(y, Precision.FP32), cotangent);
        Reference.assertClose("qkv", Tensors.floats(gradients.of(0)), exact, 6 * ROUNDING);
      }
    }
  }

  @Test
  void bytes_bfloat16Array_areTheUpperHalves() {
    try (Scope scope = Scope.open()) {
      NDArray x = Tensors.of(scope.manager(), new float[] {1, -2.5f, 3.140625f}, 3);
      NDArray rounded = Ops.cast(x, Precision.BF16);
      NDArray back = Tensors.fromBfloat16Bytes(scope.manager(), Tensors.bytes(rounded), 3);
      assertThat(Tensors.floats(back)).containsExactly(1, -2.5f, 3.140625f);
    }
  }
}
