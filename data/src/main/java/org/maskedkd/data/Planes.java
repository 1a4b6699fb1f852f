package org.maskedkd.data;

/** From pixels to planes. */
final class Planes {
  private Planes() {}

  /** {@code [pixels, 3]} to {@code [3, pixels]}. */
  static void split(byte[] interleaved, int pixels, byte[] planes) {
    int green = pixels;
    int blue = 2 * pixels;
    for (int i = 0, p = 0; i < pixels; i++, p += 3) {
      planes[i] = interleaved[p];
      planes[green + i] = interleaved[p + 1];
      planes[blue + i] = interleaved[p + 2];
    }
  }
}
