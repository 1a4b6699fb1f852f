package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Plain double-precision forms of the operators, and their gradients by central differences. */
final class Reference {

  /** Flat inputs to a flat output. */
  interface Plain {
    double[] apply(double[]... inputs);
  }

  private Reference() {}

  /**
   * Compares an operator and all its input gradients, for a random cotangent, with a plain form.
   */
  static void assertSame(
      Function<List<NDArray>, NDArray> op, Plain plain, long seed, long[]... shapes) {
    SplittableRandom random = new SplittableRandom(seed);
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      List<NDArray> inputs = new ArrayList<>();
      double[][] values = new double[shapes.length][];
      for (int i = 0; i < shapes.length; i++) {
        float[] drawn = normal(random, shapes[i]);
        values[i] = widen(drawn);
        inputs.add(Tensors.requireGradient(Tensors.of(scope.manager(), drawn, shapes[i])));
      }
      Gradients gradients = new Gradients(inputs);
      NDArray output = op.apply(inputs);
      assertClose("output, seed " + seed, Tensors.floats(output), plain.apply(values), 3e-6);

      float[] cotangent = normal(random, output.getShape().getShape());
      Gradients.backward(
          output, Tensors.of(scope.manager(), cotangent, output.getShape().getShape()));
      for (int i = 0; i < shapes.length; i++) {
        assertClose(
            "gradient of input " + i + ", seed " + seed,
            Tensors.floats(gradients.of(i)),
            centralDifferences(plain, values, i, widen(cotangent)),
            1e-5);
      }
      gradients.close();
    }
  }

  /** Largest difference over largest expected magnitude. */
  static void assertClose(String what, float[] found, double[] expected, double tolerance) {
    assertThat(found).as(what).hasSameSizeAs(expected);
    double scale = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    double off = 0;
    for (int i = 0; i < found.length; i++) {
      off = Math.max(off, Math.abs(found[i] - expected[i]));
      assertThat(found[i]).as(what).isNotNaN();
    }
    assertThat(off).as(what).isLessThanOrEqualTo(tolerance * scale);
  }

  static float[] normal(SplittableRandom random, long... shape) {
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  static double[] widen(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  private static double[] centralDifferences(
      Plain plain, double[][] values, int input, double[] cotangent) {
    double h = 1e-5;
    double[] gradient = new double[values[input].length];
    for (int i = 0; i < gradient.length; i++) {
      double kept = values[input][i];
      values[input][i] = kept + h;
      double above = dot(plain.apply(values), cotangent);
      values[input][i] = kept - h;
      double below = dot(plain.apply(values), cotangent);
      values[input][i] = kept;
      gradient[i] = (above - below) / (2 * h);
    }
    return gradient;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  static double[] linear(double[] x, double[] weight, double[] bias) {
    int out = bias.length;
    int in = weight.length / out;
    double[] y = new double[x.length / in * out];
    for (int row = 0; row < x.length / in; row++) {
      for (int o = 0; o < out; o++) {
        double sum = bias[o];
        for (int i = 0; i < in; i++) {
          sum += x[row * in + i] * weight[o * in + i];
        }
        y[row * out + o] = sum;
      }
    }
    return y;
  }

  static double[] layerNorm(double[] x, double[] weight, double[] bias, double eps) {
    int d = weight.length;
    double[] y = new double[x.length];
    for (int from = 0; from < x.length; from += d) {
      double mean = Arrays.stream(x, from, from + d).sum() / d;
      double variance =
          Arrays.stream(x, from, from + d).map(v -> (v - mean) * (v - mean)).sum() / d;
      for (int i = 0; i < d; i++) {
        y[from + i] = (x[from + i] - mean) / Math.sqrt(variance + eps) * weight[i] + bias[i];
      }
    }
    return y;
  }

  static double[] gelu(double[] x) {
    return Arrays.stream(x).map(v -> v / 2 * (1 + erf(v / Math.sqrt(2)))).toArray();
  }

  /** The power series; good to 1e-12 for |x| below 4. */
  private static double erf(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; n < 120; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }

  /** Queries [groups, n, d] against keys and values [groups, n, d]. */
  static double[] attention(double[] q, double[] k, double[] v, int n, int d) {
    double[] y = new double[q.length];
    for (int g = 0; g < q.length; g += n * d) {
      for (int i = 0; i < n; i++) {
        double[] weights = attentionRow(q, g + i * d, k, g, n, d);
        for (int j = 0; j < n; j++) {
          for (int c = 0; c < d; c++) {
            y[g + i * d + c] += weights[j] * v[g + j * d + c];
          }
        }
      }
    }
    return y;
  }

  /** softmax(q·k/√d) of one query over n keys that follow each other. */
  static double[] attentionRow(double[] q, int query, double[] k, int keys, int n, int d) {
    double[] weights = new double[n];
    for (int j = 0; j < n; j++) {
      double score = 0;
      for (int c = 0; c < d; c++) {
        score += q[query + c] * k[keys + j * d + c];
      }
      weights[j] = Math.exp(score / Math.sqrt(d));
    }
    double sum = Arrays.stream(weights).sum();
    return Arrays.stream(weights).map(w -> w / sum).toArray();
  }

  /** Part 0, 1 or 2 of a joint projection [b, n, 3, heads, d] as [b, heads, n, d]. */
  static double[] part(double[] qkv, int part, int b, int n, int heads, int d) {
    double[] out = new double[b * n * heads * d];
    int to = 0;
    for (int sample = 0; sample < b; sample++) {
      for (int head = 0; head < heads; head++) {
        for (int token = 0; token < n; token++) {
          for (int c = 0; c < d; c++) {
            out[to++] = qkv[(((sample * n + token) * 3 + part) * heads + head) * d + c];
          }
        }
      }
    }
    return out;
  }

  /** [b, heads, n, d] as [b, n, heads·d]. */
  static double[] merge(double[] x, int b, int n, int heads, int d) {
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = i % d;
      int token = i / d % n;
      int head = i / (d * n) % heads;
      int sample = i / (d * n * heads);
      out[((sample * n + token) * heads + head) * d + c] = x[i];
    }
    return out;
  }
}
