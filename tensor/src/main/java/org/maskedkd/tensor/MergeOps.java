package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;

/**
 * The operators of Token Merging (Bolya et al. 2023), for models without gradients; otherwise as
 * those of {@link Ops}.
 */
public final class MergeOps {
  private MergeOps() {}

  /**
   * As {@link Ops#frozenSelfAttention}, with the logarithm of each token's size added to the scores
   * for it (ToMe's proportional attention).
   *
   * @param qkv [b, n, 3d]
   * @param sizes float32 [b, n, 1], all positive
   * @return [b, n, d]
   */
  public static NDArray proportionalAttention(NDArray qkv, NDArray sizes, int heads) {
    Ops.checkHeads(qkv, heads);
    AttentionKernel kernel = AttentionKernel.of(Ops.precision(qkv), /* frozen= */ true);
    String method =
        switch (kernel) {
          case FUSED, PLAIN -> "proportional_attention";
          case FUSED_WIDENED, PLAIN_WIDENED -> "proportional_attention_widened";
        };
    return Script.call(method, qkv, sizes, heads);
  }

  /**
   * Which tokens become one (bipartite soft matching of Bolya et al., Token Merging): tokens at
   * even places look for the one at an odd place whose keys, averaged over the heads, have the
   * largest cosine with theirs; the {@code count} most similar pairs are merged, earlier ones first
   * among equals. Tokens before {@code prefix} never are. Computed in float32 whatever the input;
   * not differentiable.
   *
   * @param qkv [b, n, 3d] as for {@link Ops#selfAttention(NDArray, int)}
   * @param prefix 1 or 2
   * @param count 1 to {@code (n - prefix) / 2}
   * @return int64 [b, n + count], for {@link #mergedSums} and {@link #mergedTokens}
   */
  public static NDArray merging(NDArray qkv, int heads, int prefix, int count) {
    Ops.checkHeads(qkv, heads);
    long most = (qkv.getShape().get(1) - prefix) / 2;
    if (prefix < 1 || prefix > 2 || count < 1 || count > most) {
      throw new IllegalArgumentException(
          "%d of %d tokens cannot be merged, the first %d of which must stay; expected 1 to %d, and 1 or 2 that stay"
              .formatted(count, qkv.getShape().get(1), prefix, most));
    }
    return Script.call("merging", qkv, heads, prefix, count);
  }

  /**
   * Sums of the tokens that become one, such as of their sizes.
   *
   * @param x float32 [b, n, c]
   * @param merging of {@link #merging}, with {@code count} merged
   * @return [b, n - count, c]: those at even places that are left, then those at odd places, each
   *     in order, the prefix first
   */
  public static NDArray mergedSums(NDArray x, NDArray merging, int count) {
    return Script.call("merged_sums", x, merging, count);
  }

  /**
   * Means of the tokens that become one, weighed by their sizes, in float32 and rounded once.
   *
   * @param x [b, n, d]
   * @param sizes float32 [b, n, 1]
   * @return [b, n - count, d] in the order of {@link #mergedSums}
   */
  public static NDArray mergedTokens(NDArray x, NDArray sizes, NDArray merging, int count) {
    return Script.call("merged_tokens", x, sizes, merging, count);
  }

  /**
   * As {@link Ops#meanOfTokens}, weighed by the tokens' sizes.
   *
   * @param sizes float32 [b, n, 1]
   */
  public static NDArray meanOfMerged(NDArray x, NDArray sizes, int from) {
    return Script.call("mean_of_merged", x, sizes, from);
  }
}
