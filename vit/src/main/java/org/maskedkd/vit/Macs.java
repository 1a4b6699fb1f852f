package org.maskedkd.vit;

import java.util.List;

/**
 * Multiply-accumulates of one image's forward pass: matrix products only, as the paper counts its
 * "FLOPs" (appendix I). With n tokens of width d a block costs 4nd² for the projections, 2n²d for
 * attention and 2nd·mlp for the MLP. Mixing h heads twice costs 2n²h²; in a layer of class
 * attention only keys and values are made of all tokens. Tokens in windows of w each attend to w:
 * 2nwd.
 */
public final class Macs {

  private Macs() {}

  /** The forward pass on the whole image. */
  public static long full(ModelConfig config) {
    return config instanceof SwinConfig swin
        ? windowed(swin)
        : forward((VitConfig) config, config.patches(), config.patches());
  }

  private static long windowed(SwinConfig config) {
    long macs = (long) config.patches() * config.patchValues() * config.width();
    for (int stage = 0; stage < config.stages(); stage++) {
      long width = config.width(stage);
      long tokens = (long) config.side(stage) * config.side(stage);
      long seen = (long) config.window(stage) * config.window(stage);
      long block =
          4 * tokens * width * width
              + 2 * tokens * seen * width
              + 2 * SwinConfig.MLP_RATIO * tokens * width * width;
      long merging = stage == 0 ? 0 : tokens * 2 * width * width;
      macs += config.depths().get(stage) * block + merging;
    }
    return macs + (long) config.width(config.stages() - 1) * config.classes();
  }

  /**
   * The paper's counting: every patch is embedded, then {@code kept} of them go through the blocks.
   */
  public static long maskedAsInThePaper(VitConfig config, int kept) {
    return forward(config, config.patches(), kept);
  }

  /** What {@link VisionTransformer} does: only the kept patches are embedded at all. */
  public static long masked(VitConfig config, int kept) {
    return forward(config, kept, kept);
  }

  /**
   * The forward pass with numbers of tokens that differ between the blocks. Finding out which
   * tokens to merge is not counted.
   *
   * @param embedded patches that are embedded at all
   * @param blocks of each block
   */
  public static long forward(VitConfig config, long embedded, List<BlockTokens> blocks) {
    if (blocks.size() != config.depth()) {
      throw new IllegalArgumentException(
          "tokens of %d blocks do not match the model's %d"
              .formatted(blocks.size(), config.depth()));
    }
    long width = config.width();
    long mixed = config.attendsByClass() ? (long) config.heads() * config.heads() : 0;
    long macs = embedded * config.patchValues() * width;
    for (BlockTokens tokens : blocks) {
      long n = tokens.attention();
      macs += 4 * n * width * width + 2 * n * n * (width + mixed);
      macs += 2 * tokens.mlp() * width * config.mlpWidth();
    }
    long heads = (config.distilled() ? 2 : 1) * width * config.headWidth();
    long names = (long) config.traits().textWidth() * config.classes();
    long last = blocks.get(blocks.size() - 1).mlp() - config.prefixTokens();
    return macs + classBlocks(config, last) + heads + names;
  }

  /**
   * A student in training that is given {@code kept} patches alone, chosen by its own attention: a
   * forward pass on the whole image, then the one on those.
   */
  public static long maskedByItself(VitConfig config, int kept) {
    return kept == config.patches() ? full(config) : full(config) + masked(config, kept);
  }

  private static long forward(VitConfig config, int embedded, int kept) {
    if (kept < 1 || kept > config.patches()) {
      throw new IllegalArgumentException(
          "%d kept patches are not between 1 and the grid's %d".formatted(kept, config.patches()));
    }
    return forward(config, embedded, BlockTokens.constant(config, kept));
  }

  private static long classBlocks(VitConfig config, long kept) {
    long width = config.width();
    long tokens = 1 + kept;
    long projections = (2 + 2 * tokens) * width * width;
    long attention = 2 * tokens * width;
    long mlp = 2 * width * config.mlpWidth();
    return config.traits().classBlocks() * (projections + attention + mlp);
  }
}
