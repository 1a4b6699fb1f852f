package org.maskedkd.data;

import java.util.Arrays;

/**
 * An affine change of a square image, as Pillow's {@code Image.transform} makes it: the point (x,
 * y) of the result, pixel centres at halves, comes from (a x + b y + c, d x + e y + f) of the
 * image, by bicubic interpolation (a = -1) with the border repeated; from outside comes a colour.
 */
record Warp(double a, double b, double c, double d, double e, double f) {

  /** About the middle, against the clock. */
  static Warp rotation(double degrees, int size) {
    double angle = -Math.toRadians(degrees);
    double cos = StrictMath.cos(angle);
    double sin = StrictMath.sin(angle);
    double middle = size / 2.0;
    return new Warp(
        cos,
        sin,
        middle - cos * middle - sin * middle,
        -sin,
        cos,
        middle + sin * middle - cos * middle);
  }

  /**
   * @param fill red, green and blue of what comes from outside
   */
  void apply(Pixels pixels, int[] fill) {
    int size = pixels.size();
    byte[] from =
        Arrays.copyOfRange(pixels.bytes(), pixels.offset(), pixels.offset() + 3 * pixels.count());
    for (int y = 0; y < size; y++) {
      for (int x = 0; x < size; x++) {
        double atX = a * (x + 0.5) + b * (y + 0.5) + c;
        double atY = d * (x + 0.5) + e * (y + 0.5) + f;
        boolean inside = atX >= 0 && atX < size && atY >= 0 && atY < size;
        for (int channel = 0; channel < 3; channel++) {
          int plane = channel * pixels.count();
          int value = inside ? bicubic(from, plane, size, atX - 0.5, atY - 0.5) : fill[channel];
          pixels.bytes()[pixels.offset() + plane + y * size + x] = (byte) value;
        }
      }
    }
  }

  private static int bicubic(byte[] from, int plane, int size, double x, double y) {
    int left = (int) Math.floor(x);
    int top = (int) Math.floor(y);
    double[] columns = new double[4];
    for (int row = 0; row < 4; row++) {
      int start = plane + within(top - 1 + row, size) * size;
      columns[row] =
          cubic(
              from[start + within(left - 1, size)] & 0xff,
              from[start + within(left, size)] & 0xff,
              from[start + within(left + 1, size)] & 0xff,
              from[start + within(left + 2, size)] & 0xff,
              x - left);
    }
    double value = cubic(columns[0], columns[1], columns[2], columns[3], y - top);
    return value <= 0 ? 0 : value >= 255 ? 255 : (int) value;
  }

  private static int within(int i, int size) {
    return Math.max(0, Math.min(size - 1, i));
  }

  private static double cubic(double v1, double v2, double v3, double v4, double t) {
    return v2 + t * (-v1 + v3 + t * (2 * (v1 - v2) + v3 - v4 + t * (-v1 + v2 - v3 + v4)));
  }
}
