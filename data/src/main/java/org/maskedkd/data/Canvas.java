package org.maskedkd.data;

/** A square picture under way: three planes of values in about [0, 1]. */
final class Canvas {
  /** A figure in its own coordinates, [-1, 1] x [-1, 1]. */
  interface Figure {
    boolean covers(double x, double y);
  }

  private static final int SUBSAMPLES = 3;

  private final int size;
  private final double[] values;

  Canvas(int size) {
    this.size = size;
    this.values = new double[3 * size * size];
  }

  /** A gradient between two colours along {@code angle}, with a wave on it. */
  void background(
      double[] from,
      double[] to,
      double angle,
      double waveLength,
      double waveHeight,
      double waveAngle) {
    double cos = StrictMath.cos(angle);
    double sin = StrictMath.sin(angle);
    double waveX = StrictMath.cos(waveAngle) * 2 * Math.PI / waveLength;
    double waveY = StrictMath.sin(waveAngle) * 2 * Math.PI / waveLength;
    for (int y = 0; y < size; y++) {
      for (int x = 0; x < size; x++) {
        double along = 0.5 + ((x + 0.5) / size - 0.5) * cos + ((y + 0.5) / size - 0.5) * sin;
        double wave = waveHeight * StrictMath.sin(x * waveX + y * waveY);
        for (int c = 0; c < 3; c++) {
          values[at(c, y, x)] = from[c] + (to[c] - from[c]) * along + wave;
        }
      }
    }
  }

  /** Lays a figure over the picture, with soft edges. Half extents and centre are in pixels. */
  void draw(
      Figure figure,
      double centreX,
      double centreY,
      double halfWidth,
      double halfHeight,
      double angle,
      double[] color,
      double opacity) {
    double cos = StrictMath.cos(angle);
    double sin = StrictMath.sin(angle);
    double reach = Math.hypot(halfWidth, halfHeight);
    int top = (int) Math.max(0, Math.floor(centreY - reach));
    int bottom = (int) Math.min(size - 1, Math.ceil(centreY + reach));
    int left = (int) Math.max(0, Math.floor(centreX - reach));
    int right = (int) Math.min(size - 1, Math.ceil(centreX + reach));
    for (int y = top; y <= bottom; y++) {
      for (int x = left; x <= right; x++) {
        int inside = 0;
        for (int s = 0; s < SUBSAMPLES * SUBSAMPLES; s++) {
          double dx = x + (s % SUBSAMPLES + 0.5) / SUBSAMPLES - centreX;
          double dy = y + (s / SUBSAMPLES + 0.5) / SUBSAMPLES - centreY;
          double u = (dx * cos + dy * sin) / halfWidth;
          double v = (dy * cos - dx * sin) / halfHeight;
          if (Math.abs(u) <= 1 && Math.abs(v) <= 1 && figure.covers(u, v)) {
            inside++;
          }
        }
        blend(y, x, color, opacity * inside / (SUBSAMPLES * SUBSAMPLES));
      }
    }
  }

  private void blend(int y, int x, double[] color, double share) {
    for (int c = 0; c < 3; c++) {
      int i = at(c, y, x);
      values[i] += (color[c] - values[i]) * share;
    }
  }

  /** Mean brightness of a square around a point, clipped to the picture. */
  double brightness(double centreX, double centreY, double half) {
    double sum = 0;
    int count = 0;
    for (int y = (int) Math.max(0, centreY - half); y < Math.min(size, centreY + half); y++) {
      for (int x = (int) Math.max(0, centreX - half); x < Math.min(size, centreX + half); x++) {
        sum += luma(values[at(0, y, x)], values[at(1, y, x)], values[at(2, y, x)]);
        count++;
      }
    }
    return sum / count;
  }

  static double luma(double red, double green, double blue) {
    return 0.299 * red + 0.587 * green + 0.114 * blue;
  }

  /** The picture in uint8, with noise of this standard deviation on every sample. */
  Image finish(Draws draws, double noise) {
    byte[] rgb = new byte[values.length];
    for (int i = 0; i < rgb.length; i++) {
      // The sum of four uniform draws of 16 bits is near enough to normal for noise.
      long bits = draws.bits();
      double sum =
          (bits & 0xFFFF) + (bits >>> 16 & 0xFFFF) + (bits >>> 32 & 0xFFFF) + (bits >>> 48);
      double normal = (sum / 65536 - 2) * 1.7320508075688772;
      double value = (values[i] + noise * normal) * 255;
      rgb[i] = (byte) (int) Math.max(0, Math.min(255, Math.floor(value + 0.5)));
    }
    return new Image(size, size, rgb);
  }

  private int at(int c, int y, int x) {
    return (c * size + y) * size + x;
  }
}
