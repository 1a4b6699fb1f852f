package org.maskedkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.util.List;

/**
 * Pictures of one size that stand one after the other, uncompressed, in files that number their
 * classes. Their order is that of the files.
 */
final class RawImages implements ImageSource {
  /**
   * How a file is made up.
   *
   * @param start where the first picture's record begins
   * @param labels bytes of label before each picture
   * @param channels 3, or 1 for grey, which becomes three equal planes
   */
  record Layout(long start, int labels, int channels, int height, int width) {
    int pixels() {
      return channels * height * width;
    }

    int record() {
      return labels + pixels();
    }
  }

  /**
   * A file of {@code count} pictures, owned by the source.
   *
   * @param path for messages
   */
  record Part(String path, String name, Content content, int count) {}

  private final Layout layout;
  private final List<Part> parts;
  private final List<String> classes;
  private final byte[] labels;

  /**
   * @param labels of all pictures, unsigned
   */
  RawImages(Layout layout, List<Part> parts, List<String> classes, byte[] labels) {
    this.layout = layout;
    this.parts = List.copyOf(parts);
    this.classes = List.copyOf(classes);
    this.labels = labels;
  }

  @Override
  public int size() {
    return labels.length;
  }

  @Override
  public List<String> classes() {
    return classes;
  }

  @Override
  public int label(int index) {
    return labels[index] & 0xFF;
  }

  private record Place(Part part, int index) {}

  private Place place(int index) {
    int left = index;
    for (Part part : parts) {
      if (left < part.count) {
        return new Place(part, left);
      }
      left -= part.count;
    }
    throw new IndexOutOfBoundsException(index);
  }

  @Override
  public String name(int index) {
    Place place = place(index);
    return "%s/%s#%d".formatted(classes.get(label(index)), place.part.name, place.index);
  }

  @Override
  public long bytes(int index) {
    return layout.pixels();
  }

  @Override
  public Image decode(int index) {
    Place place = place(index);
    long position = layout.start + (long) place.index * layout.record() + layout.labels;
    try {
      byte[] pixels = place.part.content.read(position, layout.pixels());
      return new Image(layout.height, layout.width, layout.channels == 1 ? grey(pixels) : pixels);
    } catch (EOFException e) {
      throw new CorruptImageException(
          place.part.path + "#" + place.index, "the file has become shorter", e);
    } catch (IOException e) {
      throw new DataException("cannot read " + place.part.path + ": " + e, e);
    }
  }

  private static byte[] grey(byte[] plane) {
    byte[] rgb = new byte[3 * plane.length];
    for (int c = 0; c < 3; c++) {
      System.arraycopy(plane, 0, rgb, c * plane.length, plane.length);
    }
    return rgb;
  }

  @Override
  public void close() {
    parts.forEach(part -> part.content.close());
  }
}
