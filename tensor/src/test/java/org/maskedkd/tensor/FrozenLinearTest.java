package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.tensor.FrozenLinear.Kernel;

class FrozenLinearTest {
  private static final long SEED = 20240611;

  /** Of the largest value: a bfloat16 has 8 bits, and input, weight and result are rounded. */
  private static double tolerance(Precision precision) {
    return precision == Precision.FP32 ? 2e-6 : 4.0 / 512;
  }

  @ParameterizedTest
  @CsvSource({"5,FP32", "192,FP32", "5,BF16", "192,BF16"})
  void apply_narrowAndWide_equalsPlainForm(int width, Precision precision) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] x = Reference.normal(random, 2, 3, width);
    float[] weight = Reference.normal(random, width + 1, width);
    for (int i = 0; i < weight.length; i++) {
      weight[i] /= (float) Math.sqrt((double) width);
    }
    float[] bias = Reference.normal(random, width + 1);
    double[] expected =
        Reference.linear(Reference.widen(x), Reference.widen(weight), Reference.widen(bias));
    try (Scope scope = Scope.open();
        GradMode off = GradMode.off();
        FrozenLinear layer =
            FrozenLinear.of(
                Tensors.of(scope.manager(), weight, width + 1, width),
                Tensors.of(scope.manager(), bias, width + 1),
                precision)) {
      NDArray input = Ops.cast(Tensors.of(scope.manager(), x, 2, 3, width), precision);
      NDArray found = layer.apply(input);
      assertThat(found.getShape().getShape()).containsExactly(2, 3, width + 1);
      assertThat(found.getDataType()).isEqualTo(input.getDataType());
      Reference.assertClose("linear", Tensors.floats(found), expected, tolerance(precision));
      NDArray activated = layer.applyGelu(input);
      assertThat(activated.getDataType()).isEqualTo(input.getDataType());
      Reference.assertClose(
          "linear and gelu",
          Tensors.floats(activated),
          Reference.gelu(expected),
          tolerance(precision));
    }
  }

  @Test
  void of_bfloat16_leavesTheGivenArraysAlone() {
    try (Scope scope = Scope.open()) {
      NDArray weight = Tensors.of(scope.manager(), new float[] {1.001f, 2, 3, 4}, 2, 2);
      NDArray bias = Tensors.of(scope.manager(), new float[] {0.5f, 0.25f}, 2);
      FrozenLinear.of(weight, bias, Precision.BF16).close();
      FrozenLinear.of(weight, bias, Precision.FP32).close();
      assertThat(weight.getDataType()).isEqualTo(DataType.FLOAT32);
      assertThat(Tensors.floats(weight)).containsExactly(1.001f, 2, 3, 4);
      assertThat(Tensors.floats(bias)).containsExactly(0.5f, 0.25f);
    }
  }

  @Test
  void rule_processorPrecisionAndWidth_decide() {
    String server = "flags : fma avx2 avx512vl avx512bw avx512dq";
    CpuFeatures amx = new CpuFeatures(server + " avx512_bf16 amx_bf16", Map.of());
    CpuFeatures avx512 = new CpuFeatures(server, Map.of());
    CpuFeatures avx2 = new CpuFeatures("flags : fma avx2", Map.of());
    CpuFeatures other = new CpuFeatures("", Map.of());
    assertThat(FrozenLinear.rule(Precision.BF16, 64, amx)).isEqualTo(Kernel.ONEDNN_PACKED);
    assertThat(FrozenLinear.rule(Precision.BF16, 768, avx512)).isEqualTo(Kernel.TORCH);
    assertThat(FrozenLinear.rule(Precision.BF16, 768, avx2)).isEqualTo(Kernel.ONEDNN);
    assertThat(FrozenLinear.rule(Precision.FP32, 768, amx)).isEqualTo(Kernel.ONEDNN);
    assertThat(FrozenLinear.rule(Precision.FP32, 768, avx2)).isEqualTo(Kernel.ONEDNN);
    assertThat(FrozenLinear.rule(Precision.FP32, 191, avx2)).isEqualTo(Kernel.TORCH);
    assertThat(FrozenLinear.rule(Precision.FP32, 768, other)).isEqualTo(Kernel.TORCH);
  }
}
