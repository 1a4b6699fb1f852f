package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.util.Map;
import org.maskedkd.tensor.Ops;

/**
 * One of CaiT's layers of class attention: the class token looks at itself and at the patches,
 * which stay as they are; then its MLP. Both branches have a scale per feature.
 */
final class ClassBlock {
  private final Map<String, NDArray> weights;
  private final String prefix;
  private final VitConfig config;

  /** Looks its weights up by name; the model owns them. */
  ClassBlock(Map<String, NDArray> weights, int index, VitConfig config) {
    this.weights = weights;
    this.prefix = "blocks_token_only." + index + ".";
    this.config = config;
  }

  /**
   * The class token after this layer.
   *
   * @param token [b, 1, d]
   * @param patches [b, n, d]
   */
  NDArray apply(NDArray token, NDArray patches) {
    NDArray all = seen(token, patches);
    NDArray mixed =
        Ops.classTokenAttention(
            linear("attn.q", Ops.tokens(all, 0, 1)),
            linear("attn.k", all),
            linear("attn.v", all),
            config.heads());
    NDArray attended = residual(token, linear("attn.proj", mixed), 1);
    NDArray hidden = Ops.gelu(linear("mlp.fc1", norm("norm2", attended)));
    return residual(attended, linear("mlp.fc2", hidden), 2);
  }

  /** How the class token looks at itself and the patches: float32 [b, heads, 1 + n]. */
  NDArray attention(NDArray token, NDArray patches) {
    NDArray all = seen(token, patches);
    return Ops.classTokenWeights(
        linear("attn.q", Ops.tokens(all, 0, 1)), linear("attn.k", all), config.heads());
  }

  private NDArray seen(NDArray token, NDArray patches) {
    return norm("norm1", Ops.concatTokens(token, patches));
  }

  private NDArray residual(NDArray x, NDArray branch, int number) {
    NDArray scale = weight(ParameterShapes.layerScale(config, number));
    return Ops.residual(x, branch, scale, /* sampleScale= */ null);
  }

  private NDArray norm(String name, NDArray x) {
    return Ops.layerNorm(x, weight(name + ".weight"), weight(name + ".bias"), config.eps());
  }

  private NDArray linear(String name, NDArray x) {
    return Ops.linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }

  private NDArray weight(String name) {
    return ModelWeights.named(weights, prefix + name);
  }
}
