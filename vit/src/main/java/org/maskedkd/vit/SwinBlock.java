package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.WindowOps;

/**
 * One block of a Swin transformer, pre-norm: attention within windows, then MLP, each added to what
 * came in. The first block of a later stage begins with the merging of neighbours.
 */
final class SwinBlock {
  /** What is added to the score of a pair that came together only because the grid was turned. */
  private static final float APART = -100;

  private final Map<String, NDArray> weights;
  private final String prefix;
  private final @Nullable String merging;
  private final double eps;
  private final int heads;
  private final int side;
  private final int window;
  private final int shift;

  /** The table's row of each pair of places in a window. */
  private final NDArray places;

  private final NDArray mask;

  /**
   * Looks its weights up by name; the model owns them.
   *
   * @param constants owns what the block computes beforehand
   */
  SwinBlock(
      Map<String, NDArray> weights, int stage, int index, SwinConfig config, NDManager constants) {
    this.weights = weights;
    this.prefix = SwinShapes.block(stage, index);
    this.merging = stage > 0 && index == 0 ? "layers." + stage + ".downsample." : null;
    this.eps = config.eps();
    this.heads = config.heads().get(stage);
    this.side = config.side(stage);
    this.window = config.window(stage);
    this.shift = config.shift(stage, index);
    int n = window * window;
    int windows = shift == 0 ? 1 : side / window * (side / window);
    // Whatever scope is open where the model is made, these outlive it.
    try (Scope scope = Scope.open()) {
      this.places = scope.keep(Tensors.of(constants, relativePlaces(window), (long) n * n));
      this.mask =
          scope.keep(Tensors.of(constants, mask(side, window, shift, windows), windows, n, n));
    }
  }

  private static long[] relativePlaces(int window) {
    int n = window * window;
    long[] places = new long[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        int down = i / window - j / window + window - 1;
        int right = i % window - j % window + window - 1;
        places[i * n + j] = (long) down * (2 * window - 1) + right;
      }
    }
    return places;
  }

  private static float[] mask(int side, int window, int shift, int windows) {
    int n = window * window;
    float[] mask = new float[windows * n * n];
    if (windows == 1) {
      return mask;
    }
    int across = side / window;
    for (int w = 0; w < windows; w++) {
      int top = w / across * window;
      int left = w % across * window;
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          boolean together =
              wrapped(top + i / window, side, shift) == wrapped(top + j / window, side, shift)
                  && wrapped(left + i % window, side, shift)
                      == wrapped(left + j % window, side, shift);
          mask[(w * n + i) * n + j] = together ? 0 : APART;
        }
      }
    }
    return mask;
  }

  /** Whether a row or column of the turned grid came in again from the other end. */
  private static boolean wrapped(int place, int side, int shift) {
    return place >= side - shift;
  }

  /** The tokens that the block works on: those that came in, merged where a stage begins. */
  NDArray enter(NDArray x) {
    if (merging == null) {
      return x;
    }
    NDArray four = WindowOps.mergeNeighbours(x, 2 * side);
    NDArray normal = norm(merging + "norm", four);
    return Ops.linear(normal, weight(merging + "reduction.weight"), null);
  }

  /** Queries, keys and values: [b, side², d] to [b·windows, window², 3d]. */
  NDArray qkv(NDArray x) {
    NDArray normal = norm(prefix + "norm1", x);
    return linear("attn.qkv", WindowOps.windows(normal, side, window, shift));
  }

  /** {@code x + proj(attention)}, with each sample's attention branch scaled. */
  NDArray attend(NDArray x, NDArray qkv, @Nullable NDArray sampleScale) {
    NDArray mixed = WindowOps.attention(qkv, heads, table(), places, mask);
    NDArray branch = WindowOps.fromWindows(linear("attn.proj", mixed), side, window, shift);
    return Ops.residual(x, branch, null, sampleScale);
  }

  /** How much each place is attended to, mean over its window's queries: [b, heads, side²]. */
  NDArray received(NDArray qkv) {
    NDArray each = WindowOps.attentionReceived(qkv, heads, table(), places, mask);
    return WindowOps.fromWindows(each, side, window, shift).transpose(0, 2, 1);
  }

  /** {@code x + fc2(gelu(fc1(norm2(x))))}, with each sample's MLP branch scaled. */
  NDArray mlp(NDArray x, @Nullable NDArray sampleScale) {
    NDArray hidden = Ops.gelu(linear("mlp.fc1", norm(prefix + "norm2", x)));
    return Ops.residual(x, linear("mlp.fc2", hidden), null, sampleScale);
  }

  private NDArray table() {
    return weight(prefix + SwinShapes.TABLE);
  }

  private NDArray norm(String name, NDArray x) {
    return Ops.layerNorm(x, weight(name + ".weight"), weight(name + ".bias"), eps);
  }

  private NDArray linear(String name, NDArray x) {
    return Ops.linear(x, weight(prefix + name + ".weight"), weight(prefix + name + ".bias"));
  }

  private NDArray weight(String name) {
    return ModelWeights.named(weights, name);
  }
}
