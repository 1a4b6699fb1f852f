package org.maskedkd.data;

/**
 * Brightness, contrast and saturation, each multiplied by a factor of its own, one after the other
 * in an order that is drawn: torchvision's {@code ColorJitter} without hue, with Pillow's
 * enhancements.
 *
 * @param strength factors are uniform in [1 - strength, 1 + strength]
 */
record ColorJitter(double strength) {
  private static final int CHANGES = 3;

  /** Changes the {@code [3, size, size]} image that starts at {@code offset}. */
  void apply(byte[] images, int offset, int size, Draws draws) {
    Pixels pixels = new Pixels(images, offset, size);
    int[] order = {0, 1, 2};
    draws.shuffle(order);
    double[] factors = new double[CHANGES];
    for (int i = 0; i < CHANGES; i++) {
      factors[i] = draws.uniform(1 - strength, 1 + strength);
    }
    for (int change : order) {
      switch (change) {
        case 0 -> pixels.brightness(factors[0]);
        case 1 -> pixels.contrast(factors[1]);
        default -> pixels.color(factors[2]);
      }
    }
  }
}
