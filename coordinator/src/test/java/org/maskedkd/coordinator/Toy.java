package org.maskedkd.coordinator;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.maskedkd.proto.v1.Grid;

/**
 * A world small enough to know all of it: images of 4 x 4 bytes in four patches, three classes, and
 * models that are one matrix. A batch is a function of its step.
 */
final class Toy {

  static final int CLASSES = 3;
  static final int PIXELS = 16;
  static final int PATCH_BYTES = 4;
  static final int PATCHES = 4;
  static final int EVAL_IMAGES = 12;

  static final Grid GRID =
      Grid.newBuilder().setImageHeight(4).setImageWidth(4).setPatch(2).setChannels(1).build();

  private static final double[][] TEACHER = matrix(99, 8);

  private Toy() {}

  static double[][] matrix(long seed, double scale) {
    Random random = new Random(seed);
    double[][] matrix = new double[CLASSES][PIXELS];
    for (double[] row : matrix) {
      for (int p = 0; p < PIXELS; p++) {
        row[p] = scale * random.nextGaussian();
      }
    }
    return matrix;
  }

  /** The image at a place of a step's batch, patch by patch; step 0 is for evaluation. */
  static byte[] image(long step, int position) {
    byte[] image = new byte[PIXELS];
    new Random(step * 10_007 + position).nextBytes(image);
    return image;
  }

  static int label(byte[] image) {
    double[] logits = logits(TEACHER, image);
    return IntStream.range(0, CLASSES)
        .boxed()
        .max(Comparator.comparingDouble(c -> logits[c]))
        .orElseThrow();
  }

  static float[] target(byte[] image) {
    float[] target = new float[CLASSES];
    Arrays.fill(target, 0.05f);
    target[label(image)] = 0.9f;
    return target;
  }

  static double[] logits(double[][] weights, byte[] image) {
    double[] logits = new double[CLASSES];
    for (int c = 0; c < CLASSES; c++) {
      for (int p = 0; p < PIXELS; p++) {
        logits[c] += weights[c][p] * (image[p] & 0xff) / 255;
      }
    }
    return logits;
  }

  /** The brightest patches, ascending. */
  static int[] kept(byte[] image, double keep) {
    int count = (int) Math.round(keep * PATCHES);
    return IntStream.range(0, PATCHES)
        .boxed()
        .sorted(Comparator.comparingInt(patch -> -brightness(image, patch)))
        .limit(count)
        .mapToInt(Integer::intValue)
        .sorted()
        .toArray();
  }

  private static int brightness(byte[] image, int patch) {
    return IntStream.range(0, PATCH_BYTES).map(b -> image[patch * PATCH_BYTES + b] & 0xff).sum();
  }

  /** What the teacher says of an image of which it sees only some patches. */
  static double[] teacherLogits(int[] kept, byte[] patches) {
    byte[] image = new byte[PIXELS];
    for (int i = 0; i < kept.length; i++) {
      System.arraycopy(patches, i * PATCH_BYTES, image, kept[i] * PATCH_BYTES, PATCH_BYTES);
    }
    return logits(TEACHER, image);
  }

  static byte[] cut(byte[] image, int[] kept) {
    byte[] patches = new byte[kept.length * PATCH_BYTES];
    for (int i = 0; i < kept.length; i++) {
      System.arraycopy(image, kept[i] * PATCH_BYTES, patches, i * PATCH_BYTES, PATCH_BYTES);
    }
    return patches;
  }

  /** Softmax regression on whole batches, with no pipeline: what every run must come to. */
  static double[][] reference(long steps, int batch, double rate, boolean distilled) {
    double[][] weights = matrix(1, 0.1);
    for (long step = 1; step <= steps; step++) {
      double[][] gradient = new double[CLASSES][PIXELS];
      for (int i = 0; i < batch; i++) {
        byte[] image = image(step, i);
        double[] q = softmax(floats(logits(weights, image)));
        float[] w = target(image);
        int[] kept = kept(image, 0.5);
        double[] p = softmax(floats(teacherLogits(kept, cut(image, kept))));
        for (int c = 0; c < CLASSES; c++) {
          double slope = distilled ? 0.5 * (q[c] - w[c]) + 0.5 * (q[c] - p[c]) : q[c] - w[c];
          for (int x = 0; x < PIXELS; x++) {
            gradient[c][x] += slope / batch * (image[x] & 0xff) / 255;
          }
        }
      }
      for (int c = 0; c < CLASSES; c++) {
        for (int x = 0; x < PIXELS; x++) {
          weights[c][x] -= rate * gradient[c][x];
        }
      }
    }
    return weights;
  }

  private static double[] floats(double[] values) {
    return Arrays.stream(values).map(v -> (float) v).toArray();
  }

  private static double[] softmax(double[] logits) {
    double sum = Arrays.stream(logits).map(Math::exp).sum();
    return Arrays.stream(logits).map(v -> Math.exp(v) / sum).toArray();
  }
}
