package org.maskedkd.vit;

import java.util.List;

/**
 * Which blocks' inner results are asked for beside a forward pass, for objectives that compare more
 * than logits. Blocks count from 0 on; each stands at most once, in ascending order.
 *
 * @param tokens blocks whose patches' tokens are wanted, as they leave the block
 * @param attention blocks of which the class token's attention to the patches is wanted
 */
public record FeatureLayers(List<Integer> tokens, List<Integer> attention) {

  /** Nothing but the logits. */
  public static final FeatureLayers NONE = new FeatureLayers(List.of(), List.of());

  /** Copies both. */
  public FeatureLayers {
    tokens = List.copyOf(tokens);
    attention = List.copyOf(attention);
  }

  /** Whether nothing is asked for. */
  public boolean isNone() {
    return tokens.isEmpty() && attention.isEmpty();
  }

  /**
   * Checks that a model has them.
   *
   * @throws IllegalArgumentException naming what it has not
   */
  public void requireIn(VitConfig config) {
    ascending("tokens", tokens, config);
    ascending("attention", attention, config);
    if (!attention.isEmpty() && config.attendsByClass()) {
      throw new IllegalArgumentException(
          "the class token's attention in blocks "
              + attention
              + " is asked for, but this model's class token enters after the blocks (CaiT)");
    }
  }

  private static void ascending(String what, List<Integer> blocks, VitConfig config) {
    int before = -1;
    for (int block : blocks) {
      if (block <= before || block >= config.depth()) {
        throw new IllegalArgumentException(
            "%s of blocks %s are asked for: expected blocks of 0 to %d, each once, in order"
                .formatted(what, blocks, config.depth() - 1));
      }
      before = block;
    }
  }

  /** Numbers that they make of one image with {@code patches} patches. */
  public long numbersPerImage(VitConfig config, int patches) {
    return (long) patches * ((long) tokens.size() * config.width() + attention.size());
  }
}
