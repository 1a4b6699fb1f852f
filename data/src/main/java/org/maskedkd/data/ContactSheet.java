package org.maskedkd.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Many small images side by side in one PNG, each with a caption. */
public final class ContactSheet {
  private static final int MARGIN = 6;
  private static final int SMALLEST_EDGE = 96;
  private static final int PAPER = 0xFFFFFF;
  private static final int INK = 0x333333;

  private ContactSheet() {}

  /**
   * Writes the sheet. Small images are enlarged by a whole factor, pixels staying squares.
   *
   * @param images row by row
   * @param labels one caption per image, cut off where it is too wide; empty for none at all
   * @throws DataException when the file cannot be written
   */
  public static void write(Path file, List<Image> images, int columns, List<String> labels) {
    if (images.isEmpty() || columns < 1) {
      throw new IllegalArgumentException(
          "%d images in %d columns make no sheet".formatted(images.size(), columns));
    }
    if (!labels.isEmpty() && labels.size() != images.size()) {
      throw new IllegalArgumentException(
          "%d captions for %d images".formatted(labels.size(), images.size()));
    }
    int width = images.stream().mapToInt(Image::width).max().orElseThrow();
    int height = images.stream().mapToInt(Image::height).max().orElseThrow();
    int scale = Math.max(1, SMALLEST_EDGE / Math.max(width, height));
    int cellWidth = width * scale + MARGIN;
    int caption = labels.isEmpty() ? 0 : TinyFont.HEIGHT + MARGIN / 2;
    int cellHeight = height * scale + caption + MARGIN;
    int rows = (images.size() + columns - 1) / columns;
    BufferedImage sheet =
        new BufferedImage(
            MARGIN + Math.min(columns, images.size()) * cellWidth,
            MARGIN + rows * cellHeight,
            BufferedImage.TYPE_INT_RGB);
    fill(sheet);
    for (int i = 0; i < images.size(); i++) {
      int left = MARGIN + i % columns * cellWidth;
      int top = MARGIN + i / columns * cellHeight;
      Pictures.paste(images.get(i), sheet, left, top, scale);
      if (!labels.isEmpty()) {
        int below = top + height * scale + MARGIN / 2;
        TinyFont.draw(labels.get(i), sheet, left, below, width * scale, INK);
      }
    }
    try {
      Pictures.write(sheet, file);
    } catch (IOException e) {
      throw new DataException("cannot write " + file + ": " + e, e);
    }
  }

  private static void fill(BufferedImage sheet) {
    for (int y = 0; y < sheet.getHeight(); y++) {
      for (int x = 0; x < sheet.getWidth(); x++) {
        sheet.setRGB(x, y, PAPER);
      }
    }
  }
}
