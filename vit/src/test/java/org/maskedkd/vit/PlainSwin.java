package org.maskedkd.vit;

import java.util.Map;
import java.util.Objects;

/**
 * The Swin transformer once more, in loops over doubles. Nothing is turned, cut or masked here: a
 * token looks at those whose place falls into the same window of the shifted, cyclic grid, on the
 * same side of its seam, and the bias follows from the distance of the two places in the image.
 */
final class PlainSwin {
  private final SwinConfig config;
  private final Map<String, double[]> weights;

  /** Filled by {@link #logits}: what each place of the last block receives, [heads][places]. */
  double[][] received = {};

  PlainSwin(SwinConfig config, Map<String, double[]> weights) {
    this.config = config;
    this.weights = weights;
  }

  /**
   * One image.
   *
   * @param patches flattened, normalised, row by row
   * @param scales what each branch is multiplied by, two for each block
   */
  double[] logits(double[][] patches, double[] scales) {
    double[][] x = norm(each(patches, "patch_embed.proj"), "patch_embed.norm");
    int branch = 0;
    for (int stage = 0; stage < config.depths().size(); stage++) {
      if (stage > 0) {
        x = merged(x, "layers." + stage + ".downsample.");
      }
      for (int i = 0; i < config.depths().get(stage); i++) {
        String block = "layers." + stage + ".blocks." + i + ".";
        x = sum(x, attention(norm(x, block + "norm1"), stage, i, block), scales[branch++]);
        x = sum(x, mlp(norm(x, block + "norm2"), block), scales[branch++]);
      }
    }
    double[][] last = norm(x, "norm");
    double[] mean = new double[last[0].length];
    for (double[] token : last) {
      for (int d = 0; d < mean.length; d++) {
        mean[d] += token[d] / last.length;
      }
    }
    return linear(mean, "head.fc");
  }

  private double[][] merged(double[][] x, String name) {
    int side = (int) Math.round(Math.sqrt(x.length));
    int d = x[0].length;
    double[][] out = new double[x.length / 4][4 * d];
    for (int row = 0; row < side; row++) {
      for (int column = 0; column < side; column++) {
        int to = row / 2 * (side / 2) + column / 2;
        int part = row % 2 + 2 * (column % 2);
        System.arraycopy(x[row * side + column], 0, out[to], part * d, d);
      }
    }
    return each(norm(out, name + "norm"), name + "reduction");
  }

  private double[][] attention(double[][] x, int stage, int index, String block) {
    int side = (int) Math.round(Math.sqrt(x.length));
    int window = Math.min(config.window(), side);
    int shift = index % 2 == 1 && window < side ? window / 2 : 0;
    int heads = config.heads().get(stage);
    int width = x[0].length / heads;
    double[][] qkv = each(x, block + "attn.qkv");
    double[] table = weight(block + "attn.relative_position_bias_table");
    double[][] out = new double[x.length][x[0].length];
    received = new double[heads][x.length];
    for (int h = 0; h < heads; h++) {
      for (int i = 0; i < x.length; i++) {
        double[] scores = new double[x.length];
        for (int j = 0; j < x.length; j++) {
          int down = i / side - j / side;
          int right = i % side - j % side;
          boolean seen =
              part(i / side, side, window, shift) == part(j / side, side, window, shift)
                  && part(i % side, side, window, shift) == part(j % side, side, window, shift);
          if (!seen) {
            scores[j] = Double.NEGATIVE_INFINITY;
            continue;
          }
          double sum = 0;
          for (int d = 0; d < width; d++) {
            sum += qkv[i][h * width + d] * qkv[j][(heads + h) * width + d];
          }
          int row = (down + window - 1) * (2 * window - 1) + right + window - 1;
          scores[j] = sum / Math.sqrt(width) + table[row * heads + h];
        }
        double[] weighs = PlainVit.softmax(scores);
        for (int j = 0; j < x.length; j++) {
          received[h][j] += weighs[j] / (window * window);
          for (int d = 0; d < width; d++) {
            out[i][h * width + d] += weighs[j] * qkv[j][(2 * heads + h) * width + d];
          }
        }
      }
    }
    return each(out, block + "attn.proj");
  }

  /** Which rows (or columns) see each other. */
  private static int part(int place, int side, int window, int shift) {
    int turned = Math.floorMod(place - shift, side);
    return place < shift ? -1 - turned / window : turned / window;
  }

  private double[][] mlp(double[][] x, String block) {
    double[][] hidden = each(x, block + "mlp.fc1");
    for (double[] token : hidden) {
      for (int d = 0; d < token.length; d++) {
        token[d] = token[d] / 2 * (1 + PlainVit.erf(token[d] / Math.sqrt(2)));
      }
    }
    return each(hidden, block + "mlp.fc2");
  }

  private static double[][] sum(double[][] x, double[][] branch, double scale) {
    double[][] out = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      for (int d = 0; d < out[t].length; d++) {
        out[t][d] = x[t][d] + scale * branch[t][d];
      }
    }
    return out;
  }

  private double[][] norm(double[][] x, String name) {
    double[] scale = weight(name + ".weight");
    double[] shift = weight(name + ".bias");
    double[][] out = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      double squares = 0;
      for (double v : x[t]) {
        mean += v / x[t].length;
      }
      for (double v : x[t]) {
        squares += (v - mean) * (v - mean) / x[t].length;
      }
      for (int d = 0; d < out[t].length; d++) {
        double normal = (x[t][d] - mean) / Math.sqrt(squares + config.eps());
        out[t][d] = normal * scale[d] + shift[d];
      }
    }
    return out;
  }

  private double[][] each(double[][] x, String name) {
    double[][] out = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      out[t] = linear(x[t], name);
    }
    return out;
  }

  private double[] linear(double[] x, String name) {
    double[] matrix = weight(name + ".weight");
    double[] bias = weights.get(name + ".bias");
    double[] out = bias == null ? new double[matrix.length / x.length] : bias.clone();
    for (int o = 0; o < out.length; o++) {
      for (int i = 0; i < x.length; i++) {
        out[o] += matrix[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  private double[] weight(String name) {
    return Objects.requireNonNull(weights.get(name), name);
  }
}
