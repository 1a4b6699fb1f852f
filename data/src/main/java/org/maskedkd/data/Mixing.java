package org.maskedkd.data;

import org.jspecify.annotations.Nullable;

/**
 * How one batch is mixed: every image with the one at the same distance from the other end.
 *
 * @param lambda share of an image's own target; for cutmix, of its own pixels
 * @param box what cutmix takes from the partner; {@code null} for mixup
 */
record Mixing(double lambda, Framing.@Nullable Box box) {
  static final Mixing NONE = new Mixing(1, null);

  static Mixing draw(Augment.Mix mix, int size, Draws draws) {
    boolean mixup = mix.mixupAlpha() > 0;
    boolean cutmix = mix.cutmixAlpha() > 0;
    if (!mixup && !cutmix || !draws.chance(mix.probability())) {
      return NONE;
    }
    boolean cut = cutmix && (!mixup || draws.chance(mix.cutmixShare()));
    double lambda = draws.beta(cut ? mix.cutmixAlpha() : mix.mixupAlpha());
    return cut
        ? cutmix(lambda, size, draws.below(size), draws.below(size))
        : new Mixing(lambda, null);
  }

  /**
   * A box of 1 - lambda of the area around a centre, clipped to the image; lambda is then made to
   * fit what is left of it.
   */
  static Mixing cutmix(double lambda, int size, int centreY, int centreX) {
    int half = (int) (size * Math.sqrt(1 - lambda)) / 2;
    int top = Math.max(0, centreY - half);
    int left = Math.max(0, centreX - half);
    int bottom = Math.min(size, centreY + half);
    int right = Math.min(size, centreX + half);
    Framing.Box box = new Framing.Box(top, left, bottom - top, right - left);
    return new Mixing(1 - (double) box.height() * box.width() / ((double) size * size), box);
  }

  /** The same for images of {@code to} pixels instead of {@code from}. */
  Mixing scaled(int from, int to) {
    return box == null ? this : new Mixing(lambda, box.scaled(from, to));
  }

  /** Mixes images {@code i} and {@code j} of {@code [count, 3, size, size]}, both at once. */
  void apply(byte[] images, int i, int j, int size) {
    int bytes = 3 * size * size;
    if (lambda == 1 || i == j) {
      return;
    }
    if (box == null) {
      blend(images, i * bytes, j * bytes, bytes);
    } else {
      swap(images, i * bytes, j * bytes, size, box);
    }
  }

  private void blend(byte[] images, int first, int second, int bytes) {
    double[] own = new double[256];
    double[] other = new double[256];
    for (int v = 0; v < 256; v++) {
      own[v] = lambda * v + 0.5;
      other[v] = (1 - lambda) * v;
    }
    for (int k = 0; k < bytes; k++) {
      int a = images[first + k] & 0xFF;
      int b = images[second + k] & 0xFF;
      images[first + k] = (byte) (own[a] + other[b]);
      images[second + k] = (byte) (own[b] + other[a]);
    }
  }

  private static void swap(byte[] images, int first, int second, int size, Framing.Box box) {
    for (int c = 0; c < 3; c++) {
      for (int y = box.top(); y < box.top() + box.height(); y++) {
        int row = (c * size + y) * size;
        for (int x = row + box.left(); x < row + box.left() + box.width(); x++) {
          byte swapped = images[first + x];
          images[first + x] = images[second + x];
          images[second + x] = swapped;
        }
      }
    }
  }

  /**
   * Writes the target of a sample: {@code off} everywhere, and what lambda says on the two labels.
   */
  void target(
      float[] targets, int position, int classes, int label, int partner, double smoothing) {
    double off = smoothing / classes;
    double on = 1 - smoothing + off;
    for (int c = 0; c < classes; c++) {
      double own = c == label ? on : off;
      double other = c == partner ? on : off;
      targets[position * classes + c] = (float) (own * lambda + other * (1 - lambda));
    }
  }
}
