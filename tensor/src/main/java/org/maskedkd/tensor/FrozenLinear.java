package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Locale;

/**
 * A linear layer whose weights take no gradient, held in the form that this processor multiplies
 * fastest.
 *
 * <p>Which form that is follows from processor, precision and the layer's shape alone, never from
 * the batch ({@code docs/performance.md} has the measurements). Not differentiable: to be called
 * with gradients off ({@link GradMode}), by any thread.
 */
public final class FrozenLinear implements AutoCloseable {

  /** Who multiplies. */
  enum Kernel {
    /** As a layer that is trained: {@link Ops#linear}, {@link Ops#gelu}. */
    TORCH,
    /** oneDNN in float32; it adds the bias and applies the GELU in the product's own pass. */
    ONEDNN,
    /** oneDNN in bfloat16, with the weight laid out beforehand as its tiles want it. */
    ONEDNN_PACKED
  }

  /** Narrower layers lose more by oneDNN's setup than they gain. */
  private static final int ONEDNN_FROM = 192;

  private final Kernel kernel;
  private final NDArray weight;
  private final NDArray bias;
  private final boolean owns;

  private FrozenLinear(Kernel kernel, NDArray weight, NDArray bias, boolean owns) {
    this.kernel = kernel;
    this.weight = weight;
    this.bias = bias;
    this.owns = owns;
  }

  /**
   * Prepares a layer. It reads the arrays for as long as it lives, or copies them now, so they must
   * neither change nor be closed before it is.
   *
   * @param weight float32 [out, in]
   * @param bias float32 [out]
   * @param precision of the activations it will be given
   */
  public static FrozenLinear of(NDArray weight, NDArray bias, Precision precision) {
    Shape shape = weight.getShape();
    Kernel kernel =
        rule(precision, Math.min(shape.get(0), shape.get(1)), CpuFeatures.ofThisMachine());
    boolean multipliesRounded = precision == Precision.BF16 && !Ops.WIDEN_PRODUCTS;
    if (kernel == Kernel.ONEDNN || !multipliesRounded) {
      return new FrozenLinear(kernel, weight, bias, /* owns= */ false);
    }
    try (Scope scope = Scope.open();
        GradMode off = GradMode.off()) {
      NDArray rounded = Ops.cast(weight, precision);
      NDArray prepared =
          kernel == Kernel.ONEDNN_PACKED ? Script.callOneDnn("pack", rounded) : rounded;
      return new FrozenLinear(
          kernel, scope.keep(prepared), scope.keep(Ops.cast(bias, precision)), /* owns= */ true);
    }
  }

  /** {@code x·weightᵀ + bias}: [..., in] to [..., out] in the input's format. */
  public NDArray apply(NDArray x) {
    return switch (kernel) {
      case TORCH -> Ops.linear(x, weight, bias);
      case ONEDNN -> Script.callOneDnn("linear", x, weight, bias);
      case ONEDNN_PACKED -> Script.callOneDnn("linear_packed", x, weight, bias);
    };
  }

  /** {@code gelu(apply(x))}. */
  public NDArray applyGelu(NDArray x) {
    return switch (kernel) {
      case TORCH -> Ops.gelu(Ops.linear(x, weight, bias));
      case ONEDNN -> Script.callOneDnn("linear_gelu", x, weight, bias);
      case ONEDNN_PACKED -> Script.callOneDnn("linear_gelu_packed", x, weight, bias);
    };
  }

  /** Frees what it prepared; the arrays that it was given stay. */
  @Override
  public void close() {
    if (owns) {
      weight.close();
      bias.close();
    }
  }

  /**
   * @param narrowerSide of inputs and outputs the fewer
   */
  static Kernel rule(Precision precision, long narrowerSide, CpuFeatures cpu) {
    if (precision == Precision.BF16 && cpu.multipliesBfloat16()) {
      return Kernel.ONEDNN_PACKED;
    }
    boolean inFloat32 = precision == Precision.FP32 || !cpu.capability().equals("AVX512");
    return inFloat32 && narrowerSide >= ONEDNN_FROM && !cpu.capability().equals("DEFAULT")
        ? Kernel.ONEDNN
        : Kernel.TORCH;
  }

  /** For the numerics. */
  static String ruleText() {
    CpuFeatures cpu = CpuFeatures.ofThisMachine();
    return "fp32 %s, bf16 %s from %d features, else fp32 %s, bf16 %s"
        .formatted(
            text(rule(Precision.FP32, ONEDNN_FROM, cpu)),
            text(rule(Precision.BF16, ONEDNN_FROM, cpu)),
            ONEDNN_FROM,
            text(rule(Precision.FP32, 1, cpu)),
            text(rule(Precision.BF16, 1, cpu)));
  }

  private static String text(Kernel kernel) {
    return kernel.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
