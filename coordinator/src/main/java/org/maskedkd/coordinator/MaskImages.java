package org.maskedkd.coordinator;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.maskedkd.proto.v1.Grid;

/** Puts images together from all their patches, side by side in one picture. */
final class MaskImages {

  /** Larger images are averaged down, so that a report that holds them stays small. */
  private static final int LARGEST_SIDE = 224;

  private final Grid grid;
  private final int shrink;

  MaskImages(Grid grid) {
    this.grid = grid;
    int longest = Math.max(grid.getImageHeight(), grid.getImageWidth());
    this.shrink = (longest + LARGEST_SIDE - 1) / LARGEST_SIDE;
  }

  /**
   * The picture as a PNG.
   *
   * @param samples each with all patches of its image
   */
  byte[] toPng(List<MaskRecords.Sample> samples) {
    int width = grid.getImageWidth() / shrink;
    int height = grid.getImageHeight() / shrink;
    BufferedImage picture =
        new BufferedImage(samples.size() * width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < samples.size(); i++) {
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          picture.setRGB(i * width + x, y, color(samples.get(i).patches(), y, x));
        }
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ImageOutputStream png = new MemoryCacheImageOutputStream(out)) {
      if (!ImageIO.write(picture, "png", png)) {
        throw new IllegalStateException(
            "this Java runtime has no PNG writer (module java.desktop); set report.images=0");
      }
      png.flush();
      return out.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The mean of the pixels that become one, a grey image in all three colours. */
  private int color(ByteBuffer patches, int y, int x) {
    int rgb = 0;
    for (int c = 0; c < 3; c++) {
      int sum = 0;
      for (int i = 0; i < shrink * shrink; i++) {
        sum += pixel(patches, c, y * shrink + i / shrink, x * shrink + i % shrink);
      }
      rgb = rgb << 8 | Math.round((float) sum / (shrink * shrink));
    }
    return rgb;
  }

  private int pixel(ByteBuffer patches, int color, int y, int x) {
    int side = grid.getPatch();
    int patch = y / side * (grid.getImageWidth() / side) + x / side;
    int channel = Math.min(color, grid.getChannels() - 1);
    int at = ((patch * grid.getChannels() + channel) * side + y % side) * side + x % side;
    return patches.get(at) & 0xFF;
  }
}
