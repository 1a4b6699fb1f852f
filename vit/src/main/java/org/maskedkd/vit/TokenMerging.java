package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.MergeOps;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/**
 * Token Merging (ToMe, Bolya et al. 2023) in the blocks of a frozen model, without any training:
 * between attention and MLP of each block the most similar tokens become one. The class token and
 * the distillation token stay. What the paper compares masking at the input with (Sec. 5.2).
 *
 * <p>One object per forward pass; it holds the sizes, how many of the first tokens each token is
 * made of.
 */
public final class TokenMerging implements AutoCloseable {
  private final VitConfig config;
  private final int perBlock;

  /** float32 [b, n, 1]; null as long as all are 1. Of no scope. */
  private @Nullable NDArray sizes;

  TokenMerging(VitConfig config, int perBlock) {
    requireIn(config, perBlock);
    this.config = config;
    this.perBlock = perBlock;
  }

  /**
   * Checks that tokens of this model can be merged.
   *
   * @param perBlock 0 for not at all
   * @throws IllegalArgumentException if they cannot
   */
  public static void requireIn(VitConfig config, int perBlock) {
    if (perBlock < 0) {
      throw new IllegalArgumentException(
          "%d tokens are to be merged in each block, expected 0 or more".formatted(perBlock));
    }
    if (perBlock > 0 && config.attendsByClass()) {
      throw new IllegalArgumentException(
          "%d tokens are to be merged in each block, but in a model with class-blocks (CaiT) the heads' scores are mixed before the softmax, where no size can be added to them; expected 0"
              .formatted(perBlock));
    }
  }

  /**
   * All blocks, with merging between attention and MLP of each.
   *
   * @param tokens [b, n, d], closed here
   * @return [b, n - all that were merged, d], of no scope
   */
  NDArray through(List<VitBlock> blocks, NDArray tokens) {
    NDArray x = tokens;
    for (VitBlock block : blocks) {
      NDArray entered = x;
      try (entered;
          Scope scope = Scope.open()) {
        x = scope.keep(apply(block, x, scope));
      }
    }
    return x;
  }

  private NDArray apply(VitBlock block, NDArray x, Scope scope) {
    NDArray qkv = block.qkv(x);
    NDArray attended = block.attend(x, qkv, sizes, /* sampleScale= */ null);
    int patches = (int) x.getShape().get(1) - config.prefixTokens();
    int count = (int) BlockTokens.merged(patches, perBlock);
    NDArray left = count == 0 ? attended : merge(attended, qkv, count, scope);
    return block.mlp(left, /* sampleScale= */ null);
  }

  private NDArray merge(NDArray x, NDArray qkv, int count, Scope scope) {
    NDArray merging = MergeOps.merging(qkv, config.heads(), config.prefixTokens(), count);
    NDArray before = sizes == null ? ones(x.getShape(), scope) : sizes;
    NDArray tokens = MergeOps.mergedTokens(x, before, merging, count);
    NDArray after = scope.keep(MergeOps.mergedSums(before, merging, count));
    close();
    sizes = after;
    return tokens;
  }

  private static NDArray ones(Shape tokens, Scope scope) {
    float[] ones = new float[Math.toIntExact(tokens.get(0) * tokens.get(1))];
    Arrays.fill(ones, 1);
    return Tensors.of(scope.manager(), ones, tokens.get(0), tokens.get(1), 1);
  }

  /** Of the tokens after the last block; null if none were merged. */
  @Nullable NDArray sizes() {
    return sizes;
  }

  @Override
  public void close() {
    if (sizes != null) {
      sizes.close();
      sizes = null;
    }
  }
}
