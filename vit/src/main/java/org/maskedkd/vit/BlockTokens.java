package org.maskedkd.vit;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Tokens of one block, prefix included.
 *
 * @param attention those that look at each other
 * @param mlp those that go through its MLP and on to the next block: fewer where some are merged
 */
public record BlockTokens(long attention, long mlp) {

  /** Of each block, with the same patches in all of them. */
  public static List<BlockTokens> constant(VitConfig config, int kept) {
    long tokens = config.prefixTokens() + (long) kept;
    return Collections.nCopies(config.depth(), new BlockTokens(tokens, tokens));
  }

  /**
   * Of each block, when each merges pairs of tokens between its attention and its MLP as ToMe does:
   * so many, but at most half of the patches that are left.
   *
   * @param merged pairs per block
   * @throws IllegalArgumentException as {@link TokenMerging#requireIn}
   */
  public static List<BlockTokens> merging(VitConfig config, int kept, int merged) {
    TokenMerging.requireIn(config, merged);
    List<BlockTokens> blocks = new ArrayList<>();
    long patches = kept;
    for (int i = 0; i < config.depth(); i++) {
      long left = patches - merged(patches, merged);
      blocks.add(new BlockTokens(config.prefixTokens() + patches, config.prefixTokens() + left));
      patches = left;
    }
    return blocks;
  }

  /** How many of so many patches' tokens a block merges that is to merge {@code most}. */
  static long merged(long patches, int most) {
    return Math.min(most, patches / 2);
  }
}
