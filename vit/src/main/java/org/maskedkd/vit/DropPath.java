package org.maskedkd.vit;

import org.jspecify.annotations.Nullable;

/**
 * Stochastic depth: for a sample, a branch of a block is left out now and then, and scaled up when
 * it is kept so that its expectation stays. The probability grows linearly from 0 at the first
 * block to {@code rate} at the last, and the two branches of a block (attention, MLP) are drawn
 * apart.
 */
public final class DropPath {

  // Keeps these draws apart from the random patch selection of the same seed, step and position.
  private static final long STREAM = 1;

  private DropPath() {}

  /**
   * The scales for samples {@code firstPosition ... firstPosition + batch - 1} of the whole batch
   * of {@code step}: 0, or 1 over the probability of keeping. A sample's scales depend on its
   * position in the whole batch, never on the micro-batch that it came in.
   *
   * @param rate probability of leaving out the last block's branches, in [0, 1)
   * @return {@code [2 * depth][batch]}, entry 2i for the attention of block i and 2i + 1 for its
   *     MLP; null for a rate of 0
   */
  public static float @Nullable [][] scales(
      long seed, long step, int firstPosition, int batch, ModelConfig config, double rate) {
    if (!(rate >= 0 && rate < 1)) {
      throw new IllegalArgumentException("drop-path rate %s is not in [0, 1)".formatted(rate));
    }
    if (rate == 0) {
      return null;
    }
    float[][] scales = new float[2 * config.depth()][batch];
    for (int layer = 0; layer < scales.length; layer++) {
      int block = layer / 2;
      double keep = config.depth() == 1 ? 1 : 1 - rate * block / (config.depth() - 1);
      for (int sample = 0; sample < batch; sample++) {
        double draw =
            Draws.of(STREAM, seed, step, firstPosition + (long) sample, layer).nextDouble();
        scales[layer][sample] = draw < keep ? (float) (1 / keep) : 0;
      }
    }
    return scales;
  }
}
