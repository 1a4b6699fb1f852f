package org.maskedkd.vit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Every family once more, from the papers' formulas: loops over doubles, one token after the other,
 * no tensor library. What the real models are compared with where no published tensor is at hand.
 */
final class PlainVit {
  private final VitConfig config;
  private final Map<String, double[]> weights;

  private final AttentionRow wanted;

  /** Tokens that each block merges, as Bolya et al. describe it. */
  private final int merge;

  /** How many of the first tokens each token is made of, after {@link #logits}. */
  double[] sizes = {};

  /** Of the block that is computed: [tokens][width / heads], the mean of the heads. */
  private double[][] keys = {};

  /** Filled by {@link #logits}: [heads][prefix + kept]. */
  double[][] attention = {};

  /** Filled by {@link #logits}, by block: [prefix + kept][width], as they leave it. */
  final List<double[][]> tokens = new ArrayList<>();

  /**
   * Filled by {@link #logits}, by block: [prefix + kept], the first token's row, mean over heads.
   */
  final List<double[]> firstRows = new ArrayList<>();

  PlainVit(VitConfig config, Map<String, double[]> weights, AttentionRow wanted) {
    this(config, weights, wanted, 0);
  }

  PlainVit(VitConfig config, Map<String, double[]> weights, AttentionRow wanted, int merge) {
    this.config = config;
    this.merge = merge;
    this.wanted = wanted;
    this.weights = weights;
  }

  private double[] weight(String name) {
    return Objects.requireNonNull(weights.get(name), name);
  }

  /**
   * One image.
   *
   * @param patches of the kept places, flattened, normalised
   */
  double[] logits(double[][] patches, int[] kept) {
    double[][] x = embed(patches, kept);
    sizes = new double[x.length];
    Arrays.fill(sizes, 1);
    for (int i = 0; i < config.depth(); i++) {
      String block = "blocks." + i + ".";
      boolean asked = i == wanted.in(config) && !config.attendsByClass();
      x = branch(x, attention(norm(x, block + "norm1"), block, asked), block, 1);
      x = merged(x);
      x = branch(x, mlp(norm(x, block + "norm2"), block), block, 2);
      tokens.add(x);
    }
    if (config.attendsByClass()) {
      return head("head", norm(new double[][] {classToken(x)}, "norm")[0]);
    }
    if (config.traits().pooling() == VitTraits.Pooling.MEAN) {
      double[] mean = new double[config.width()];
      for (int t = config.prefixTokens(); t < x.length; t++) {
        for (int d = 0; d < mean.length; d++) {
          mean[d] += sizes[t] * x[t][d] / kept.length;
        }
      }
      return head("head", norm(new double[][] {mean}, "fc_norm")[0]);
    }
    double[][] normal = norm(x, "norm");
    double[] logits = head("head", normal[0]);
    if (config.distilled()) {
      double[] second = head("head_dist", normal[1]);
      for (int c = 0; c < logits.length; c++) {
        logits[c] = (logits[c] + second[c]) / 2;
      }
    }
    return logits;
  }

  private double[][] embed(double[][] patches, int[] kept) {
    int width = config.width();
    double[] positions = weight("pos_embed");
    int covered = config.posCoversPrefix() ? config.prefixTokens() : 0;
    List<double[]> tokens = new ArrayList<>();
    for (int p = 0; p < config.prefixTokens(); p++) {
      double[] token = weight(p == 0 ? "cls_token" : "dist_token").clone();
      for (int d = 0; d < width && p < covered; d++) {
        token[d] += positions[p * width + d];
      }
      tokens.add(token);
    }
    double[] projection = weight("patch_embed.proj.weight");
    for (int k = 0; k < kept.length; k++) {
      double[] token = new double[width];
      for (int d = 0; d < width; d++) {
        double sum = config.traits().preNorm() ? 0 : weight("patch_embed.proj.bias")[d];
        for (int v = 0; v < config.patchValues(); v++) {
          sum += projection[d * config.patchValues() + v] * patches[k][v];
        }
        token[d] = sum + positions[(covered + kept[k]) * width + d];
      }
      tokens.add(token);
    }
    double[][] x = tokens.toArray(double[][]::new);
    return config.traits().preNorm() ? norm(x, "norm_pre") : x;
  }

  private double[] classToken(double[][] patches) {
    double[] token = weight("cls_token").clone();
    for (int i = 0; i < config.traits().classBlocks(); i++) {
      String block = "blocks_token_only." + i + ".";
      double[][] all = new double[1 + patches.length][];
      all[0] = token;
      System.arraycopy(patches, 0, all, 1, patches.length);
      double[][] seen = norm(all, block + "norm1");
      double[] q = linear(seen[0], block + "attn.q");
      double[][] k = each(seen, block + "attn.k");
      double[][] v = each(seen, block + "attn.v");
      double[][] rows = new double[config.heads()][];
      double[] mixed = new double[config.width()];
      int width = config.width() / config.heads();
      for (int h = 0; h < config.heads(); h++) {
        double[] scores = new double[all.length];
        for (int t = 0; t < all.length; t++) {
          scores[t] = dot(q, k[t], h * width, width) / Math.sqrt(width);
        }
        rows[h] = softmax(scores);
        for (int t = 0; t < all.length; t++) {
          for (int d = 0; d < width; d++) {
            mixed[h * width + d] += rows[h][t] * v[t][h * width + d];
          }
        }
      }
      if (i == wanted.in(config)) {
        attention = rows;
      }
      double[][] one = {token};
      one = branch(one, new double[][] {linear(mixed, block + "attn.proj")}, block, 1);
      one = branch(one, mlp(norm(one, block + "norm2"), block), block, 2);
      token = one[0];
    }
    return token;
  }

  private double[][] attention(double[][] x, String block, boolean asked) {
    int width = config.width() / config.heads();
    double[][] qkv = each(x, block + "attn.qkv");
    keys = new double[x.length][width];
    for (int t = 0; t < x.length; t++) {
      for (int d = 0; d < config.width(); d++) {
        keys[t][d % width] += qkv[t][config.width() + d] / config.heads();
      }
    }
    double[][][] scores = new double[config.heads()][x.length][x.length];
    for (int h = 0; h < config.heads(); h++) {
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < x.length; j++) {
          double sum = 0;
          for (int d = 0; d < width; d++) {
            sum += qkv[i][h * width + d] * qkv[j][config.width() + h * width + d];
          }
          scores[h][i][j] = sum / Math.sqrt(width) + Math.log(sizes[j]);
        }
      }
    }
    if (config.attendsByClass()) {
      scores = mixed(scores, block + "attn.proj_l");
    }
    for (double[][] head : scores) {
      for (int i = 0; i < head.length; i++) {
        head[i] = softmax(head[i]);
      }
    }
    double[] first = new double[x.length];
    for (double[][] head : scores) {
      for (int j = 0; j < x.length; j++) {
        first[j] += head[0][j] / config.heads();
      }
    }
    firstRows.add(first);
    if (asked) {
      boolean byClass = wanted.from() == AttentionRow.From.CLASS;
      int from = byClass ? 0 : config.prefixTokens();
      int end = byClass ? 1 : x.length;
      attention = new double[config.heads()][x.length];
      for (int h = 0; h < config.heads(); h++) {
        for (int i = from; i < end; i++) {
          for (int j = 0; j < x.length; j++) {
            attention[h][j] += scores[h][i][j] / (end - from);
          }
        }
      }
    }
    if (config.attendsByClass()) {
      scores = mixed(scores, block + "attn.proj_w");
    }
    double[][] out = new double[x.length][config.width()];
    for (int h = 0; h < config.heads(); h++) {
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < x.length; j++) {
          for (int d = 0; d < width; d++) {
            out[i][h * width + d] += scores[h][i][j] * qkv[j][2 * config.width() + h * width + d];
          }
        }
      }
    }
    return each(out, block + "attn.proj");
  }

  /**
   * Tokens are dealt in turn to two sets; each of the first set draws an edge to its most similar
   * one of the second; the most similar edges are merged by the mean, weighed by size; the rest of
   * the first set is put before the second. The class and distillation tokens take no part.
   */
  private double[][] merged(double[][] x) {
    int prefix = config.prefixTokens();
    int count = Math.min(merge, (x.length - prefix) / 2);
    List<double[]> edges = new ArrayList<>();
    for (int a = 0; a < x.length; a += 2) {
      double[] best = {a, -1, Double.NEGATIVE_INFINITY};
      for (int b = 1; b < x.length; b += 2) {
        double cosine =
            a < prefix || b < prefix
                ? Double.NEGATIVE_INFINITY
                : dot(keys[a], keys[b], 0, keys[a].length)
                    / Math.sqrt(dot(keys[a], keys[a], 0, keys[a].length))
                    / Math.sqrt(dot(keys[b], keys[b], 0, keys[b].length));
        if (cosine > best[2]) {
          best = new double[] {a, b, cosine};
        }
      }
      edges.add(best);
    }
    // Stable, so that of equal ones the first comes first.
    edges.sort((e, f) -> Double.compare(f[2], e[2]));
    double[][] sums = new double[x.length][];
    double[] total = sizes.clone();
    for (int t = 0; t < x.length; t++) {
      sums[t] = x[t].clone();
      for (int d = 0; d < sums[t].length; d++) {
        sums[t][d] *= sizes[t];
      }
    }
    boolean[] gone = new boolean[x.length];
    for (double[] edge : edges.subList(0, count)) {
      int from = (int) edge[0];
      int to = (int) edge[1];
      gone[from] = true;
      total[to] += sizes[from];
      for (int d = 0; d < sums[to].length; d++) {
        sums[to][d] += sums[from][d];
      }
    }
    List<Integer> order = new ArrayList<>();
    for (int t = 0; t < prefix; t++) {
      order.add(t);
    }
    for (int first = 0; first < 2; first++) {
      for (int t = first; t < x.length; t += 2) {
        if (t >= prefix && !gone[t]) {
          order.add(t);
        }
      }
    }
    if (count == 0) {
      return x;
    }
    double[][] out = new double[order.size()][];
    sizes = new double[order.size()];
    for (int i = 0; i < out.length; i++) {
      int t = order.get(i);
      sizes[i] = total[t];
      out[i] = Arrays.stream(sums[t]).map(sum -> sum / total[t]).toArray();
    }
    return out;
  }

  /** Each head becomes a mixture of all. */
  private double[][][] mixed(double[][][] heads, String name) {
    int n = heads[0].length;
    double[][][] out = new double[heads.length][n][n];
    for (int h = 0; h < heads.length; h++) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          out[h][i][j] = weight(name + ".bias")[h];
          for (int from = 0; from < heads.length; from++) {
            out[h][i][j] += weight(name + ".weight")[h * heads.length + from] * heads[from][i][j];
          }
        }
      }
    }
    return out;
  }

  private double[][] mlp(double[][] x, String block) {
    double[][] hidden = each(x, block + "mlp.fc1");
    for (double[] token : hidden) {
      for (int d = 0; d < token.length; d++) {
        double v = token[d];
        token[d] =
            config.traits().activation() == VitTraits.Activation.GELU
                ? v / 2 * (1 + erf(v / Math.sqrt(2)))
                : v / (1 + Math.exp(-1.702 * v));
      }
    }
    return each(hidden, block + "mlp.fc2");
  }

  private double[][] branch(double[][] x, double[][] branch, String block, int number) {
    double[][] out = new double[x.length][config.width()];
    for (int t = 0; t < x.length; t++) {
      for (int d = 0; d < config.width(); d++) {
        double scale =
            config.layerScale() ? weight(block + ParameterShapes.layerScale(config, number))[d] : 1;
        out[t][d] = x[t][d] + scale * branch[t][d];
      }
    }
    return out;
  }

  private double[] head(String name, double[] x) {
    double[] out = linear(x, name);
    int wide = config.traits().textWidth();
    if (wide == 0) {
      return out;
    }
    double[] names = weight("text_embeddings");
    double[] logits = new double[config.classes()];
    for (int c = 0; c < logits.length; c++) {
      double dot = 0;
      double length = 0;
      for (int d = 0; d < wide; d++) {
        dot += out[d] * names[c * wide + d];
        length += names[c * wide + d] * names[c * wide + d];
      }
      logits[c] = 100 * dot / Math.sqrt(length) / Math.sqrt(dot(out, out, 0, wide));
    }
    return logits;
  }

  private double[][] norm(double[][] x, String name) {
    double[][] out = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      int n = x[t].length;
      double mean = 0;
      for (double v : x[t]) {
        mean += v / n;
      }
      double variance = 0;
      for (double v : x[t]) {
        variance += (v - mean) * (v - mean) / n;
      }
      out[t] = new double[n];
      for (int d = 0; d < n; d++) {
        out[t][d] =
            (x[t][d] - mean) / Math.sqrt(variance + config.eps()) * weight(name + ".weight")[d]
                + weight(name + ".bias")[d];
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
    double[] w = weight(name + ".weight");
    double[] out = weight(name + ".bias").clone();
    for (int o = 0; o < out.length; o++) {
      for (int i = 0; i < x.length; i++) {
        out[o] += w[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  private static double dot(double[] a, double[] b, int from, int count) {
    double sum = 0;
    for (int d = from; d < from + count; d++) {
      sum += a[d] * b[d];
    }
    return sum;
  }

  static double[] softmax(double[] scores) {
    double most = Double.NEGATIVE_INFINITY;
    for (double score : scores) {
      most = Math.max(most, score);
    }
    double sum = 0;
    double[] out = new double[scores.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Math.exp(scores[i] - most);
      sum += out[i];
    }
    for (int i = 0; i < out.length; i++) {
      out[i] /= sum;
    }
    return out;
  }

  /** By its Taylor series, whose terms are below 1e-17 before the 100th for |x| up to 4. */
  static double erf(double x) {
    if (Math.abs(x) > 4) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; n < 100; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
}
