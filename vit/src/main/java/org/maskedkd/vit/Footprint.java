package org.maskedkd.vit;

import java.util.Map;

/**
 * The least memory that a model takes, in float32. Meant for refusing what a machine cannot hold
 * before it is tried: what really is taken is more.
 */
public final class Footprint {
  private Footprint() {}

  /** Bytes of all weights. */
  public static long weights(ModelConfig config) {
    long numbers = 0;
    for (Map.Entry<String, long[]> parameter : ParameterShapes.of(config).entrySet()) {
      long size = 1;
      for (long side : parameter.getValue()) {
        size *= side;
      }
      numbers += size;
    }
    return numbers * Float.BYTES;
  }

  /**
   * Bytes of a forward that keeps nothing for a backward: input, normalised, queries, keys and
   * values, and the MLP's hidden features, of one block.
   *
   * @param patches per image, those that are kept
   */
  public static long forward(VitConfig config, long images, long patches) {
    long tokens = images * (config.prefixTokens() + patches);
    long block = Math.max(5L * config.width(), 2L * config.width() + config.mlpWidth());
    return tokens * block * Float.BYTES;
  }

  /** Bytes of a forward of whole images that keeps nothing for a backward. */
  public static long forward(ModelConfig config, long images) {
    return config instanceof SwinConfig swin
        ? images * largestBlock(swin) * Float.BYTES
        : forward((VitConfig) config, images, config.patches());
  }

  /**
   * Bytes that a forward keeps for its backward.
   *
   * @param patches per image, those that are kept; all of them where none can be left out
   */
  public static long activations(ModelConfig config, long images, long patches) {
    if (config instanceof SwinConfig swin) {
      long numbers = 0;
      for (int stage = 0; stage < swin.stages(); stage++) {
        numbers += block(swin, stage, 6 + SwinConfig.MLP_RATIO) * swin.depths().get(stage);
      }
      return images * numbers * Float.BYTES;
    }
    return activations((VitConfig) config, images, patches);
  }

  private static long largestBlock(SwinConfig config) {
    long largest = 0;
    for (int stage = 0; stage < config.stages(); stage++) {
      largest = Math.max(largest, block(config, stage, 2 + SwinConfig.MLP_RATIO));
    }
    return largest;
  }

  /**
   * Numbers of one image in a stage's block that holds so many times its tokens' features, and the
   * scores within its windows.
   */
  private static long block(SwinConfig config, int stage, int times) {
    long tokens = (long) config.side(stage) * config.side(stage);
    long seen = (long) config.window(stage) * config.window(stage);
    return tokens * (config.width(stage) * (long) times + seen * config.heads().get(stage));
  }

  private static long activations(VitConfig config, long images, long patches) {
    long tokens = images * (config.prefixTokens() + patches);
    return tokens * (6L * config.width() + config.mlpWidth()) * config.depth() * Float.BYTES;
  }
}
