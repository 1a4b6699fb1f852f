package org.maskedkd.data;

import java.awt.image.Raster;

/**
 * Four-component JPEG to RGB, without colour management: the rule of the Python imaging library.
 */
final class Cmyk {
  private Cmyk() {}

  /**
   * Bands hold 255 minus ink, as programs that write such files do, whether or not they say so.
   *
   * @param ycck the first three bands are YCbCr of the complement of C, M and Y
   */
  static Image toRgb(Raster raster, boolean ycck) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    int pixels = width * height;
    byte[] rgb = new byte[3 * pixels];
    int[] row = new int[4 * width];
    for (int y = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int x = 0; x < width; x++) {
        int p = 4 * x;
        if (ycck) {
          toCmy(row, p);
        }
        for (int c = 0; c < 3; c++) {
          rgb[c * pixels + y * width + x] = (byte) ((row[p + c] * row[p + 3] + 127) / 255);
        }
      }
    }
    return new Image(height, width, rgb);
  }

  private static void toCmy(int[] row, int p) {
    double luma = row[p];
    double blue = row[p + 1] - 128;
    double red = row[p + 2] - 128;
    row[p] = clamp(255 - (luma + 1.402 * red));
    row[p + 1] = clamp(255 - (luma - 0.344136286 * blue - 0.714136286 * red));
    row[p + 2] = clamp(255 - (luma + 1.772 * blue));
  }

  private static int clamp(double value) {
    return (int) Math.max(0, Math.min(255, Math.floor(value + 0.5)));
  }
}
