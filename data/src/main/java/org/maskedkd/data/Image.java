package org.maskedkd.data;

/**
 * A decoded image.
 *
 * @param rgb uint8 {@code [3, height, width]}, red plane first; owned by the image, not copied
 */
public record Image(int height, int width, byte[] rgb) {
  public Image {
    if (height < 1 || width < 1 || rgb.length != 3L * height * width) {
      throw new IllegalArgumentException(
          "an image of %d x %d has 3 * height * width bytes, not %d"
              .formatted(height, width, rgb.length));
    }
  }

  /** The rectangle that starts at {@code (top, left)}; this image itself when that is all of it. */
  Image crop(int top, int left, int height, int width) {
    if (top == 0 && left == 0 && height == this.height && width == this.width) {
      return this;
    }
    byte[] out = new byte[3 * height * width];
    for (int c = 0; c < 3; c++) {
      for (int y = 0; y < height; y++) {
        int from = (c * this.height + top + y) * this.width + left;
        System.arraycopy(rgb, from, out, (c * height + y) * width, width);
      }
    }
    return new Image(height, width, out);
  }
}
