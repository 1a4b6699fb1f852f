package org.maskedkd.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/** Images to files. */
final class Pictures {
  private Pictures() {}

  static BufferedImage buffered(Image image) {
    BufferedImage out =
        new BufferedImage(image.width(), image.height(), BufferedImage.TYPE_INT_RGB);
    paste(image, out, 0, 0, 1);
    return out;
  }

  /** Every pixel becomes a square of {@code scale} pixels. */
  static void paste(Image image, BufferedImage onto, int left, int top, int scale) {
    int pixels = image.height() * image.width();
    byte[] rgb = image.rgb();
    for (int y = 0; y < image.height() * scale; y++) {
      for (int x = 0; x < image.width() * scale; x++) {
        int i = y / scale * image.width() + x / scale;
        int color =
            (rgb[i] & 0xFF) << 16 | (rgb[pixels + i] & 0xFF) << 8 | rgb[2 * pixels + i] & 0xFF;
        onto.setRGB(left + x, top + y, color);
      }
    }
  }

  static void writePng(Image image, Path file) throws IOException {
    write(buffered(image), file);
  }

  static void write(BufferedImage image, Path file) throws IOException {
    if (!ImageIO.write(image, "png", file.toFile())) {
      throw new IOException("this Java runtime has no PNG writer (module java.desktop)");
    }
  }
}
