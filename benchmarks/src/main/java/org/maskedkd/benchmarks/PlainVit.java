package org.maskedkd.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import java.util.Map;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.VitConfig;

/**
 * A vision transformer of DeiT's kind in DJL's own calls, on the parameters of one of ours: what
 * our operators are compared with.
 */
final class PlainVit {
  private final VitConfig config;
  private final Map<String, NDArray> parameters;

  PlainVit(VitConfig config, Map<String, NDArray> parameters) {
    this.config = config;
    this.parameters = parameters;
  }

  /** Normalised patches {@code [batch, patches, channels*patch*patch]} to logits. */
  NDArray forward(NDArray patches) {
    NDArray projection =
        parameter("patch_embed.proj.weight").reshape(config.width(), config.patchValues());
    NDArray tokens = Linear.linear(patches, projection, bias("patch_embed.proj")).get(0);
    NDArray first =
        parameter("cls_token").broadcast(new Shape(patches.getShape().get(0), 1, config.width()));
    NDArray x = first.concat(tokens, 1).add(parameter("pos_embed"));
    for (int i = 0; i < config.depth(); i++) {
      String block = "blocks." + i + ".";
      x = x.add(attention(block, norm(block + "norm1", x)));
      NDArray hidden = Activation.gelu(linear(block + "mlp.fc1", norm(block + "norm2", x)));
      x = x.add(linear(block + "mlp.fc2", hidden));
    }
    return linear("head", norm("norm", x.get(":, 0")));
  }

  private NDArray attention(String block, NDArray x) {
    long batch = x.getShape().get(0);
    long tokens = x.getShape().get(1);
    long width = config.width() / config.heads();
    NDList qkv =
        linear(block + "attn.qkv", x)
            .reshape(batch, tokens, 3, config.heads(), width)
            .transpose(2, 0, 3, 1, 4)
            .split(3);
    // An array, since DJL would put a plain number where a recorded graph outlives it.
    NDArray scale =
        Tensors.of(x.getManager(), new float[] {(float) (1 / Math.sqrt((double) width))}, 1);
    NDArray q = qkv.get(0).squeeze(0).mul(scale);
    NDArray k = qkv.get(1).squeeze(0);
    NDArray v = qkv.get(2).squeeze(0);
    NDArray weights = q.matMul(k.transpose(0, 1, 3, 2)).softmax(-1);
    NDArray merged = weights.matMul(v).transpose(0, 2, 1, 3).reshape(batch, tokens, config.width());
    return linear(block + "attn.proj", merged);
  }

  private NDArray norm(String name, NDArray x) {
    Shape normalised = new Shape(config.width());
    return LayerNorm.layerNorm(
            x, normalised, parameter(name + ".weight"), bias(name), (float) config.eps())
        .get(0);
  }

  private NDArray linear(String name, NDArray x) {
    return Linear.linear(x, parameter(name + ".weight"), bias(name)).get(0);
  }

  private NDArray bias(String name) {
    return parameter(name + ".bias");
  }

  private NDArray parameter(String name) {
    NDArray found = parameters.get(name);
    if (found == null) {
      throw new IllegalArgumentException("the model has no parameter " + name);
    }
    return found;
  }
}
