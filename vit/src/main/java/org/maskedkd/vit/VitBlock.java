package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.FrozenLinear;
import org.maskedkd.tensor.MergeOps;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;

/** One transformer block, pre-norm: attention, then MLP, each added to what came in. */
final class VitBlock implements AutoCloseable {
  private static final List<String> LINEAR = List.of("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2");

  private final Map<String, NDArray> weights;
  private final String prefix;
  private final VitConfig config;
  private final Map<String, FrozenLinear> frozen = new LinkedHashMap<>();

  /**
   * The block keeps the map and looks its own weights up by name; the model owns them.
   *
   * @param frozenAs the precision that a block without gradients computes in, for which its linear
   *     layers are prepared once; null for one that is trained
   */
  VitBlock(
      Map<String, NDArray> weights, int index, VitConfig config, @Nullable Precision frozenAs) {
    this.weights = weights;
    this.prefix = "blocks." + index + ".";
    this.config = config;
    if (frozenAs != null) {
      for (String name : LINEAR) {
        NDArray weight = weight(name + ".weight");
        frozen.put(name, FrozenLinear.of(weight, weight(name + ".bias"), frozenAs));
      }
    }
  }

  /** Queries, keys and values: [b, n, d] to [b, n, 3d]. */
  NDArray qkv(NDArray x) {
    return linear("attn.qkv", norm("norm1", x));
  }

  /** {@code x + g1 * proj(attention)}, with each sample's attention branch scaled. */
  NDArray attend(NDArray x, NDArray qkv, @Nullable NDArray sampleScale) {
    return attend(x, qkv, /* sizes= */ null, sampleScale);
  }

  /**
   * The same with tokens that others were merged into.
   *
   * @param sizes float32 [b, n, 1]: how many each is made of; null for one each
   */
  NDArray attend(NDArray x, NDArray qkv, @Nullable NDArray sizes, @Nullable NDArray sampleScale) {
    NDArray mixed =
        sizes == null ? attention(qkv) : MergeOps.proportionalAttention(qkv, sizes, config.heads());
    return Ops.residual(x, linear("attn.proj", mixed), layerScale(1), sampleScale);
  }

  private NDArray attention(NDArray qkv) {
    if (config.attendsByClass()) {
      return Ops.talkingHeadsAttention(
          qkv,
          config.heads(),
          weight("attn.proj_l.weight"),
          weight("attn.proj_l.bias"),
          weight("attn.proj_w.weight"),
          weight("attn.proj_w.bias"));
    }
    return frozen.isEmpty()
        ? Ops.selfAttention(qkv, config.heads())
        : Ops.frozenSelfAttention(qkv, config.heads());
  }

  /** {@code x + g2 * fc2(act(fc1(norm2(x))))}, with each sample's MLP branch scaled. */
  NDArray mlp(NDArray x, @Nullable NDArray sampleScale) {
    NDArray normal = norm("norm2", x);
    NDArray hidden =
        switch (config.traits().activation()) {
          case GELU -> linearGelu("mlp.fc1", normal);
          case QUICK_GELU -> Ops.quickGelu(linear("mlp.fc1", normal));
        };
    return Ops.residual(x, linear("mlp.fc2", hidden), layerScale(2), sampleScale);
  }

  private @Nullable NDArray layerScale(int branch) {
    return config.layerScale() ? weight(ParameterShapes.layerScale(config, branch)) : null;
  }

  private NDArray norm(String name, NDArray x) {
    return Ops.layerNorm(x, weight(name + ".weight"), weight(name + ".bias"), config.eps());
  }

  private NDArray linear(String name, NDArray x) {
    FrozenLinear layer = frozen.get(name);
    return layer != null ? layer.apply(x) : trained(name, x);
  }

  private NDArray linearGelu(String name, NDArray x) {
    FrozenLinear layer = frozen.get(name);
    return layer != null ? layer.applyGelu(x) : Ops.gelu(trained(name, x));
  }

  private NDArray trained(String name, NDArray x) {
    return Ops.linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }

  private NDArray weight(String name) {
    return ModelWeights.named(weights, prefix + name);
  }

  /** Frees what a frozen block prepared. */
  @Override
  public void close() {
    frozen.values().forEach(FrozenLinear::close);
  }
}
