package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Ops;

/** One transformer block, pre-norm: attention, then MLP, each added to what came in. */
final class VitBlock {

  private final Map<String, NDArray> weights;
  private final String prefix;
  private final int heads;
  private final double eps;
  private final boolean frozen;

  /**
   * The block keeps the map and looks its own weights up by name; the model owns them. A frozen
   * block's results have no graph.
   */
  VitBlock(Map<String, NDArray> weights, int index, VitConfig config, boolean frozen) {
    this.frozen = frozen;
    this.weights = weights;
    this.prefix = "blocks." + index + ".";
    this.heads = config.heads();
    this.eps = config.eps();
  }

  /** Queries, keys and values: [b, n, d] to [b, n, 3d]. */
  NDArray qkv(NDArray x) {
    return linear("attn.qkv", norm("norm1", x));
  }

  /** {@code x + g1 * proj(attention)}, with each sample's attention branch scaled. */
  NDArray attend(NDArray x, NDArray qkv, @Nullable NDArray sampleScale) {
    NDArray attention = linear("attn.proj", Ops.selfAttention(qkv, heads));
    return Ops.residual(x, attention, weights.get(prefix + "ls1.gamma"), sampleScale);
  }

  /** {@code x + g2 * fc2(gelu(fc1(norm2(x))))}, with each sample's MLP branch scaled. */
  NDArray mlp(NDArray x, @Nullable NDArray sampleScale) {
    NDArray hidden = linearGelu("mlp.fc1", norm("norm2", x));
    return Ops.residual(
        x, linear("mlp.fc2", hidden), weights.get(prefix + "ls2.gamma"), sampleScale);
  }

  private NDArray norm(String name, NDArray x) {
    return Ops.layerNorm(x, weight(name + ".weight"), weight(name + ".bias"), eps);
  }

  private NDArray linear(String name, NDArray x) {
    NDArray weight = weight(name + ".weight");
    NDArray bias = weight(name + ".bias");
    return frozen ? Ops.frozenLinear(x, weight, bias) : Ops.linear(x, weight, bias);
  }

  private NDArray linearGelu(String name, NDArray x) {
    NDArray weight = weight(name + ".weight");
    NDArray bias = weight(name + ".bias");
    return frozen ? Ops.frozenLinearGelu(x, weight, bias) : Ops.gelu(Ops.linear(x, weight, bias));
  }

  private NDArray weight(String name) {
    return ModelWeights.named(weights, prefix + name);
  }
}
