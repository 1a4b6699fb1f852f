package org.maskedkd.data;

/** From an image of any shape to the model's square. */
final class Framing {
  private static final int ATTEMPTS = 10;

  /** A rectangle of pixels. */
  record Box(int top, int left, int height, int width) {

    /** The same part of an image of {@code to} pixels instead of {@code from}, edges rounded. */
    Box scaled(int from, int to) {
      int newTop = Framing.scaled(top, from, to);
      int newLeft = Framing.scaled(left, from, to);
      return new Box(
          newTop,
          newLeft,
          Framing.scaled(top + height, from, to) - newTop,
          Framing.scaled(left + width, from, to) - newLeft);
    }
  }

  private static int scaled(int edge, int from, int to) {
    return (int) Math.rint((double) edge * to / from);
  }

  private Framing() {}

  /** Shorter side to size/share (rounded down), then the middle; bicubic. */
  static Image center(Image image, int size, double share) {
    int edge = (int) Math.floor(size / share + 1e-9);
    boolean wide = image.width() > image.height();
    int height = wide ? edge : (int) ((long) edge * image.height() / image.width());
    int width = wide ? (int) ((long) edge * image.width() / image.height()) : edge;
    Image resized = Resize.to(image, height, width);
    int top = (int) Math.rint((height - size) / 2.0);
    int left = (int) Math.rint((width - size) / 2.0);
    return resized.crop(top, left, size, size);
  }

  static Image randomResized(Image image, int size, Augment.Cropping cropping, Draws draws) {
    Box box = randomBox(image.height(), image.width(), cropping, draws);
    return Resize.to(image.crop(box.top, box.left, box.height, box.width), size, size);
  }

  /** The Inception crop: area uniform, aspect ratio log-uniform, ten attempts, then the middle. */
  static Box randomBox(int height, int width, Augment.Cropping cropping, Draws draws) {
    double logMin = StrictMath.log(cropping.ratioMin());
    double logMax = StrictMath.log(cropping.ratioMax());
    for (int i = 0; i < ATTEMPTS; i++) {
      double area =
          (double) height * width * draws.uniform(cropping.scaleMin(), cropping.scaleMax());
      double ratio = StrictMath.exp(draws.uniform(logMin, logMax));
      int w = (int) Math.rint(Math.sqrt(area * ratio));
      int h = (int) Math.rint(Math.sqrt(area / ratio));
      if (w > 0 && h > 0 && w <= width && h <= height) {
        return new Box(draws.below(height - h + 1), draws.below(width - w + 1), h, w);
      }
    }
    double ratio = (double) width / height;
    int w = width;
    int h = height;
    if (ratio < cropping.ratioMin()) {
      h = Math.min(height, (int) Math.rint(w / cropping.ratioMin()));
    } else if (ratio > cropping.ratioMax()) {
      w = Math.min(width, (int) Math.rint(h * cropping.ratioMax()));
    }
    return new Box((height - h) / 2, (width - w) / 2, h, w);
  }

  /**
   * A {@link Augment.Crop#PAD} crop.
   *
   * @param size that the padding is in pixels of, and an image of which is taken as it is
   * @param wanted height and width of the result: {@code size}, or another one that shows the same
   */
  static Image padded(Image image, int size, int wanted, Augment augment, Draws draws) {
    boolean fits = image.height() == size && image.width() == size;
    Image square =
        fits ? Resize.to(image, wanted, wanted) : center(image, wanted, augment.evalCrop());
    int padding = augment.cropping().padding();
    int top = draws.below(2 * padding + 1) - padding;
    int left = draws.below(2 * padding + 1) - padding;
    return shift(square, scaled(top, size, wanted), scaled(left, size, wanted));
  }

  /** Pixel (y, x) becomes what was at (y + top, x + left), black where nothing was. */
  static Image shift(Image image, int top, int left) {
    int size = image.height();
    byte[] out = new byte[3 * size * size];
    int columns = Math.max(0, size - Math.abs(left));
    for (int c = 0; c < 3; c++) {
      for (int y = Math.max(0, -top); y < size && y + top < size; y++) {
        int from = (c * size + y + top) * size + Math.max(0, left);
        int to = (c * size + y) * size + Math.max(0, -left);
        System.arraycopy(image.rgb(), from, out, to, columns);
      }
    }
    return new Image(size, size, out);
  }

  /**
   * Mirrors every row, in place, of a {@code [3, size, size]} image that starts at {@code offset}.
   */
  static void flip(byte[] images, int offset, int size) {
    for (int row = 0; row < 3 * size; row++) {
      int left = offset + row * size;
      int right = left + size - 1;
      while (left < right) {
        byte swapped = images[left];
        images[left++] = images[right];
        images[right--] = swapped;
      }
    }
  }
}
