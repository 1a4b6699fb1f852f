package org.maskedkd.vit;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/**
 * Random starting values as timm's and DeiT's: normal with deviation 0.02 for matrices, tokens and
 * position embeddings (timm cuts at ±2, a hundred deviations out, where nothing is left to cut),
 * zero biases, unit norms. The patch projection starts as PyTorch's convolution does, which timm
 * leaves alone: weight and bias uniform within ±1/sqrt(fan-in). LayerScale starts at 1e-4
 * (DeiT-III).
 *
 * <p>Each parameter is drawn from (seed, its name), so that a parameter added or left out changes
 * no other.
 */
final class Initialiser implements ParameterSource {

  private static final long STREAM = 3;
  private static final double DEVIATION = 0.02;
  private static final float LAYER_SCALE = 1e-4f;

  private final ModelConfig config;
  private final long seed;

  Initialiser(ModelConfig config, long seed) {
    this.config = config;
    this.seed = seed;
  }

  @Override
  public float[] values(String name, long[] shape) {
    float[] values =
        new float[Math.toIntExact(LongStream.of(shape).reduce(1, Math::multiplyExact))];
    if (name.startsWith("patch_embed.proj.")) {
      uniform(values, name, 1 / Math.sqrt(config.patchValues()));
    } else if (name.endsWith(".gamma") || name.contains(".gamma_")) {
      Arrays.fill(values, LAYER_SCALE);
    } else if (shape.length > 1) {
      normal(values, name);
    } else if (name.endsWith(".weight")) {
      Arrays.fill(values, 1);
    }
    return values;
  }

  private void uniform(float[] values, String name, double bound) {
    SplittableRandom random = Draws.of(STREAM, seed, name.hashCode());
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
    }
  }

  // Box and Muller's method with StrictMath: the same bits on every machine and in every version of
  // Java.
  private void normal(float[] values, String name) {
    SplittableRandom random = Draws.of(STREAM, seed, name.hashCode());
    for (int i = 0; i < values.length; i += 2) {
      double radius = DEVIATION * StrictMath.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
      double angle = 2 * Math.PI * random.nextDouble();
      values[i] = (float) (radius * StrictMath.cos(angle));
      if (i + 1 < values.length) {
        values[i + 1] = (float) (radius * StrictMath.sin(angle));
      }
    }
  }
}
