package org.maskedkd.vit;

/**
 * Multiply-accumulates of one image's forward pass: matrix products only, as the paper counts its
 * "FLOPs" (appendix I). With n tokens of width d a block costs 4nd² for the projections, 2n²d for
 * attention and 2nd·mlp for the MLP. Mixing h heads twice costs 2n²h²; in a layer of class
 * attention only keys and values are made of all tokens.
 */
public final class Macs {

  private Macs() {}

  /** The forward pass on the whole image. */
  public static long full(VitConfig config) {
    return forward(config, config.patches(), config.patches());
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

  private static long forward(VitConfig config, long embedded, long kept) {
    if (kept < 1 || kept > config.patches()) {
      throw new IllegalArgumentException(
          "%d kept patches are not between 1 and the grid's %d".formatted(kept, config.patches()));
    }
    long width = config.width();
    long tokens = config.prefixTokens() + kept;
    long projections = 4 * tokens * width * width;
    long attention = 2 * tokens * tokens * width;
    long mlp = 2 * tokens * width * config.mlpWidth();
    long embedding = embedded * config.patchValues() * width;
    long mixing =
        config.attendsByClass() ? 2 * tokens * tokens * config.heads() * config.heads() : 0;
    long blocks = config.depth() * (projections + attention + mixing + mlp);
    long heads = (config.distilled() ? 2 : 1) * width * config.headWidth();
    long names = (long) config.traits().textWidth() * config.classes();
    return embedding + blocks + classBlocks(config, kept) + heads + names;
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
