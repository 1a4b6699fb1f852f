package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The operators that a vision transformer is made of, beyond those DJL has.
 *
 * <p>All are differentiable unless said otherwise; {@link GradMode} decides whether a graph is
 * recorded. A result belongs to the manager of the first argument and to the open {@link Scope}.
 * Activations may be float32 or bfloat16 ({@link Precision}); parameters are float32 and meet the
 * activation in its format, so that their gradients accumulate in float32. Shapes that do not fit
 * end in DJL's {@code EngineException} unless checked here. Any thread may call.
 */
public final class Ops {
  /** Below AVX512, libtorch's bfloat16 matrix product is ten times slower than float32's. */
  static final boolean WIDEN_PRODUCTS = !CpuFeatures.ofThisMachine().capability().equals("AVX512");

  private Ops() {}

  /**
   * {@code x·weightᵀ + bias}: [..., in] with weight [out, in] and bias [out] to [..., out]. A
   * bfloat16 product on a processor without AVX512 is computed in float32 and rounded once.
   */
  public static NDArray linear(NDArray x, NDArray weight, @Nullable NDArray bias) {
    String method = WIDEN_PRODUCTS && isBfloat16(x) ? "linear_widened" : "linear";
    return bias == null
        ? Script.call(method + "_without_bias", x, weight)
        : Script.call(method, x, weight, bias);
  }

  /** Normalises over the last axis (variance over d, not d - 1), then scales and shifts by [d]. */
  public static NDArray layerNorm(NDArray x, NDArray weight, NDArray bias, double eps) {
    return Script.call("layer_norm", x, weight, bias, eps);
  }

  /** {@code x/2·(1 + erf(x/√2))}, the exact form. */
  public static NDArray gelu(NDArray x) {
    return Script.call("gelu", x);
  }

  /** {@code x·σ(1.702x)}, CLIP's approximation of {@link #gelu}. */
  public static NDArray quickGelu(NDArray x) {
    return Script.call("quick_gelu", x);
  }

  /** {@code softmax(q·kᵀ/√d)·v}, fused: queries, keys, values and result [b, h, n, d]. */
  public static NDArray attention(NDArray q, NDArray k, NDArray v) {
    return Script.call("attention", q, k, v);
  }

  /**
   * Attention from the joint projection to merged heads in one call, by the kernel whose forward
   * and backward together are the fastest for the input's format on this processor ({@link
   * AttentionKernel}).
   *
   * @param qkv [b, n, 3d]: all queries, then all keys, then all values; head h owns columns h·d/H
   *     to (h+1)·d/H of each third
   * @return [b, n, d]
   */
  public static NDArray selfAttention(NDArray qkv, int heads) {
    return selfAttention(qkv, heads, AttentionKernel.of(precision(qkv), /* frozen= */ false));
  }

  /** As {@link #selfAttention(NDArray, int)}, by the kernel whose forward alone is the fastest. */
  public static NDArray frozenSelfAttention(NDArray qkv, int heads) {
    return selfAttention(qkv, heads, AttentionKernel.of(precision(qkv), /* frozen= */ true));
  }

  /** As {@link #selfAttention(NDArray, int)} by a given kernel. */
  public static NDArray selfAttention(NDArray qkv, int heads, AttentionKernel kernel) {
    checkHeads(qkv, heads);
    return Script.call(kernel.method(), qkv, heads);
  }

  /**
   * How the class token (token 0) attends to all tokens, per head. Computed in float32 whatever the
   * input; not differentiable.
   *
   * @param qkv [b, n, 3d] as for {@link #selfAttention}
   * @return float32 [b, h, n]; each row sums to 1
   */
  public static NDArray classAttention(NDArray qkv, int heads) {
    checkHeads(qkv, heads);
    return Script.call("class_attention", qkv, heads);
  }

  /**
   * As {@link #selfAttention(NDArray, int)}, with the heads' scores mixed by a linear map before
   * the softmax and their weights by another one after it (talking heads).
   *
   * @param qkv [b, n, 3d]
   * @param before [heads, heads], with bias [heads]
   * @param after [heads, heads], with bias [heads]
   * @return [b, n, d]
   */
  public static NDArray talkingHeadsAttention(
      NDArray qkv,
      int heads,
      NDArray before,
      NDArray beforeBias,
      NDArray after,
      NDArray afterBias) {
    checkHeads(qkv, heads);
    return Script.call("talking_heads_attention", qkv, heads, before, beforeBias, after, afterBias);
  }

  /**
   * What one token gathers from many.
   *
   * @param query [b, 1, d]
   * @param keys [b, n, d]
   * @param values [b, n, d]
   * @return [b, 1, d]
   */
  public static NDArray classTokenAttention(
      NDArray query, NDArray keys, NDArray values, int heads) {
    return Script.call("class_token_attention", query, keys, values, heads);
  }

  /**
   * The weights of {@link #classTokenAttention}, computed in float32 whatever the input; not
   * differentiable.
   *
   * @return float32 [b, h, n]; each row sums to 1
   */
  public static NDArray classTokenWeights(NDArray query, NDArray keys, int heads) {
    return Script.call("class_token_weights", query, keys, heads);
  }

  /**
   * How the tokens from {@code first} on attend to all tokens on average, per head. Computed in
   * float32 whatever the input; not differentiable.
   *
   * @param qkv [b, n, 3d] as for {@link #selfAttention}
   * @return float32 [b, h, n]; each row sums to 1
   */
  public static NDArray patchAttention(NDArray qkv, int heads, int first) {
    checkHeads(qkv, heads);
    return Script.call("patch_attention", qkv, heads, first);
  }

  /**
   * {@code x + branch·layerScale·sampleScale}.
   *
   * @param layerScale [d] or null for 1
   * @param sampleScale [b, 1, 1] or null for 1: 0 drops a sample's branch
   */
  public static NDArray residual(
      NDArray x, NDArray branch, @Nullable NDArray layerScale, @Nullable NDArray sampleScale) {
    if (layerScale != null && sampleScale != null) {
      return Script.call("residual_scaled_twice", x, branch, layerScale, sampleScale);
    }
    NDArray scale = layerScale != null ? layerScale : sampleScale;
    return scale == null
        ? Script.call("residual", x, branch)
        : Script.call("residual_scaled", x, branch, scale);
  }

  /** Converts inside the graph: the gradient comes back in the argument's own format. */
  public static NDArray cast(NDArray x, Precision precision) {
    return Script.call("cast", x, precision.code);
  }

  /**
   * Picks tokens per sample.
   *
   * @param x [b, n, d], or [1, n, d] shared by all samples; any type
   * @param indices int64 [b, k], each from 0 to n - 1
   * @return [b, k, d]
   * @throws IllegalArgumentException for an index outside that range, or batches that do not fit
   */
  public static NDArray gatherTokens(NDArray x, NDArray indices) {
    checkIndices(x.getShape(), indices);
    return Script.call("gather_tokens", x, indices);
  }

  /**
   * Puts tokens that all samples share before each sample's own.
   *
   * @param prefixTokens [1, 1, d] each, in order
   * @param tokens [b, n, d]
   * @return [b, p + n, d] in the format of {@code tokens}
   */
  public static NDArray withPrefix(List<NDArray> prefixTokens, NDArray tokens) {
    try (Script.TensorList prefixes = new Script.TensorList(prefixTokens)) {
      return Script.call("with_prefix", tokens, prefixes);
    }
  }

  /** One token of each sample: [b, n, d] to [b, d]. */
  public static NDArray token(NDArray x, int index) {
    return Script.call("token", x, index);
  }

  /** Tokens {@code from} to {@code to - 1} of each sample: [b, n, d] to [b, to - from, d]. */
  public static NDArray tokens(NDArray x, int from, int to) {
    return Script.call("tokens", x, from, to);
  }

  /** Tokens of the same samples after each other: [b, n, d] each to [b, sum of n, d]. */
  public static NDArray concatTokens(NDArray first, NDArray second) {
    return Script.call("concat_tokens", first, second);
  }

  /** The mean of the tokens from {@code from} on, in float32: [b, n, d] to [b, d]. */
  public static NDArray meanOfTokens(NDArray x, int from) {
    return Script.call("mean_of_tokens", x, from);
  }

  /** 100 times the cosine between each row of both: [b, d] and [c, d] to [b, c]. */
  public static NDArray cosines(NDArray x, NDArray y) {
    return Script.call("cosines", x, y);
  }

  /**
   * How the class token (token 0) attends to the tokens from {@code first} on, mean over heads, in
   * float32 whatever the input.
   *
   * @param qkv [b, n, 3d] as for {@link #selfAttention}
   * @return float32 [b, n - first]
   */
  public static NDArray classRow(NDArray qkv, int heads, int first) {
    checkHeads(qkv, heads);
    return Script.call("class_row", qkv, heads, first);
  }

  /**
   * How differently the rows of both relate to each other: the mean of {@code (XXᵀ - YYᵀ)²} over
   * all entries, after each row was scaled to length 1.
   *
   * @param x [..., n, d]
   * @param y [..., n, e]
   * @return [], a single number
   */
  public static NDArray relationDifference(NDArray x, NDArray y) {
    return Script.call("relation_difference", x, y);
  }

  /**
   * {@code KL(y || x)} of each row, after it was scaled to add up to 1; the mean of all rows.
   *
   * @param x [b, n], not negative
   * @param y [b, n], not negative
   * @return [], a single number
   */
  public static NDArray rowDivergence(NDArray x, NDArray y) {
    return Script.call("row_divergence", x, y);
  }

  /** The sum of single numbers, each times its weight; [] each and the result. */
  public static NDArray weightedSum(List<NDArray> numbers, double[] weights) {
    if (numbers.isEmpty() || numbers.size() != weights.length) {
      throw new IllegalArgumentException(
          "%d numbers do not match %d weights".formatted(numbers.size(), weights.length));
    }
    try (Script.TensorList list = new Script.TensorList(numbers)) {
      return Script.callInto(
          (PtNDManager) numbers.get(0).getManager(), "weighted_sum", list, weights);
    }
  }

  /** The sum of the products of all entries: two arrays of one shape to []. */
  public static NDArray innerProduct(NDArray x, NDArray y) {
    return Script.call("inner_product", x, y);
  }

  /**
   * Cuts images into non-overlapping patches, row by row of the grid; a patch is flattened channel
   * by channel, each row by row.
   *
   * @param images [b, c, h, w] of any type
   * @return [b, n, c·patch·patch] of the same type
   * @throws IllegalArgumentException if {@code patch} does not divide height and width
   */
  public static NDArray patches(NDArray images, int patch) {
    Shape shape = images.getShape();
    if (shape.dimension() != 4
        || patch < 1
        || shape.get(2) % patch != 0
        || shape.get(3) % patch != 0) {
      throw new IllegalArgumentException(
          "images "
              + shape
              + " cannot be cut into patches of "
              + patch
              + "; expected [batch, channels, height, width] with both sides multiples of it");
    }
    return Script.call("patches", images, patch);
  }

  /**
   * {@code (x/255 - mean)/std} per channel; bit-identical to {@link #normalizeImages} followed by
   * {@link #patches}. Not differentiable (the input is uint8).
   *
   * @param uint8Patches [b, n, c·p·p]
   * @return float32 of the same shape
   */
  public static NDArray normalizePatches(NDArray uint8Patches, double[] mean, double[] std) {
    checkChannels(uint8Patches.getShape().get(2) % mean.length == 0, uint8Patches, mean, std);
    return Script.call("normalize_patches", uint8Patches, mean, std);
  }

  /** {@code (x/255 - mean)/std}: uint8 [b, c, h, w] to float32 [b, c, h, w]. */
  public static NDArray normalizeImages(NDArray uint8Images, double[] mean, double[] std) {
    checkChannels(uint8Images.getShape().get(1) == mean.length, uint8Images, mean, std);
    return Script.call("normalize_images", uint8Images, mean, std);
  }

  /** Bilinear, pixel centres at half-integers, no smoothing: [b, c, h, w] of floats. */
  public static NDArray resizeBilinear(NDArray x, int height, int width) {
    return Script.call("resize_bilinear", x, height, width);
  }

  /** Bicubic (a = -0.75), pixel centres at half-integers, no smoothing: [b, c, h, w] of floats. */
  public static NDArray resizeBicubic(NDArray x, int height, int width) {
    return Script.call("resize_bicubic", x, height, width);
  }

  /**
   * Resizes images as Pillow and torchvision do: when reducing, the kernel widens so that every
   * source pixel counts. Not differentiable.
   *
   * @param uint8Images [b, c, h, w]
   * @return uint8 [b, c, height, width]
   */
  public static NDArray resample(NDArray uint8Images, int height, int width, Filter filter) {
    if (uint8Images.getDataType() != DataType.UINT8) {
      throw new IllegalArgumentException(
          "resample takes uint8 images, found " + uint8Images.getDataType());
    }
    String method =
        switch (filter) {
          case BILINEAR -> "resample_bilinear";
          case BICUBIC -> "resample_bicubic";
        };
    return Script.call(method, uint8Images, height, width);
  }

  static void checkHeads(NDArray qkv, int heads) {
    Shape shape = qkv.getShape();
    if (shape.dimension() != 3 || heads < 1 || shape.get(2) % (3L * heads) != 0) {
      throw new IllegalArgumentException(
          "joint projection "
              + shape
              + " does not split into queries, keys and values of "
              + heads
              + " heads; expected [batch, tokens, 3*width] with heads dividing width");
    }
  }

  private static void checkIndices(Shape x, NDArray indices) {
    Shape shape = indices.getShape();
    if (x.dimension() != 3
        || shape.dimension() != 2
        || (x.get(0) != 1 && x.get(0) != shape.get(0))) {
      throw new IllegalArgumentException(
          "indices "
              + shape
              + " do not pick from tokens "
              + x
              + "; expected [batch, kept] and [batch or 1, tokens, width]");
    }
    long[] values = Tensors.longs(indices);
    for (int i = 0; i < values.length; i++) {
      if (values[i] < 0 || values[i] >= x.get(1)) {
        throw new IllegalArgumentException(
            String.format(
                "index %d of sample %d is %d, outside 0 to %d",
                i % shape.get(1), i / shape.get(1), values[i], x.get(1) - 1));
      }
    }
  }

  static Precision precision(NDArray x) {
    return isBfloat16(x) ? Precision.BF16 : Precision.FP32;
  }

  private static boolean isBfloat16(NDArray x) {
    // DJL has no name for it; every other type that torch can hold here has one.
    return x.getDataType() == DataType.UNKNOWN;
  }

  private static void checkChannels(boolean fits, NDArray x, double[] mean, double[] std) {
    if (!fits || mean.length != std.length) {
      throw new IllegalArgumentException(
          String.format(
              "%d means and %d standard deviations do not fit the channels of %s",
              mean.length, std.length, x.getShape()));
    }
  }
}
