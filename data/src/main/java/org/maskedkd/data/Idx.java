package org.maskedkd.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;

/**
 * The IDX files of the MNIST family: one of grey pictures, {@code 0x00000803}, count, height and
 * width as big-endian numbers of 32 bits, then the pixels; one of labels, {@code 0x00000801}, the
 * count, then a byte each.
 */
final class Idx {
  private static final int IMAGES_MAGIC = 0x803;
  private static final int LABELS_MAGIC = 0x801;
  private static final int IMAGES_START = 16;
  private static final int LABELS_START = 8;

  private Idx() {}

  /** Where the labels of {@code t10k-images-idx3-ubyte.gz} and the like are. */
  static String labelsName(String images) {
    int at = images.lastIndexOf("images");
    if (at < 0) {
      throw new DataException(
          "'%s' is no name of IDX images; expected the likes of train-images-idx3-ubyte.gz, with train-labels-idx1-ubyte.gz beside it"
              .formatted(images));
    }
    String rest = images.substring(at + "images".length()).replace("idx3", "idx1");
    return images.substring(0, at) + "labels" + rest;
  }

  /**
   * Opens both files; what is compressed ({@code .gz}) is held in memory. Classes are named by
   * their numbers, from 0 to the largest that is there.
   *
   * @throws DataException when a file is missing, is not what it should be, or their counts differ
   */
  static ImageSource open(Path images, Path labels, long memoryLimitBytes) {
    byte[] classes = labels(labels, memoryLimitBytes);
    Content content = content(images, memoryLimitBytes);
    try {
      RawImages.Layout layout = layout(images, content, classes.length, labels);
      int largest = 0;
      for (byte label : classes) {
        largest = Math.max(largest, label & 0xFF);
      }
      List<String> names = IntStream.rangeClosed(0, largest).mapToObj(Integer::toString).toList();
      String name = images.getFileName().toString();
      RawImages.Part part = new RawImages.Part(images.toString(), name, content, classes.length);
      return new RawImages(layout, List.of(part), names, classes);
    } catch (IOException e) {
      content.close();
      throw new DataException("cannot read " + images + ": " + e, e);
    } catch (DataException e) {
      content.close();
      throw e;
    }
  }

  private static Content content(Path file, long memoryLimitBytes) {
    if (!Files.isRegularFile(file)) {
      throw new DataException(file + " does not exist; expected an IDX file there");
    }
    try {
      if (!file.toString().toLowerCase(Locale.ROOT).endsWith(".gz")) {
        return Content.of(file);
      }
      try (InputStream raw = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
          InputStream gzip =
              new GzipCompressorInputStream(raw, /* decompressConcatenated= */ true)) {
        return Content.held(gzip::readNBytes, new MemoryLimit(file, memoryLimitBytes));
      }
    } catch (IOException e) {
      throw new DataException(
          "cannot read %s (%s); fetch it again".formatted(file, e.getMessage()), e);
    }
  }

  private static ByteBuffer header(Path file, Content content, int bytes, int magic)
      throws IOException {
    if (content.size() < bytes) {
      throw new DataException(
          "%s has %d bytes, but the header alone has %d; fetch it again"
              .formatted(file, content.size(), bytes));
    }
    ByteBuffer header = ByteBuffer.wrap(content.read(0, bytes));
    int found = header.getInt();
    if (found != magic) {
      throw new DataException(
          "%s begins with %08x; expected %08x, IDX %s of bytes"
              .formatted(file, found, magic, magic == IMAGES_MAGIC ? "images" : "labels"));
    }
    return header;
  }

  private static RawImages.Layout layout(Path file, Content content, int labels, Path labelsFile)
      throws IOException {
    ByteBuffer header = header(file, content, IMAGES_START, IMAGES_MAGIC);
    long count = Integer.toUnsignedLong(header.getInt());
    long height = Integer.toUnsignedLong(header.getInt());
    long width = Integer.toUnsignedLong(header.getInt());
    // Neither product can be too large for a long: the first conditions bound what follows.
    if (height < 1
        || width < 1
        || height > Decoder.MAX_PIXELS
        || width > Decoder.MAX_PIXELS
        || height * width > Decoder.MAX_PIXELS) {
      throw new DataException(
          "%s says that its images have %d x %d pixels; expected at least one, at most %d"
              .formatted(file, height, width, Decoder.MAX_PIXELS));
    }
    if (content.size() != IMAGES_START + count * height * width) {
      throw new DataException(
          "%s has %d bytes, but says %d images of %d x %d, which take %d; fetch it again"
              .formatted(
                  file,
                  content.size(),
                  count,
                  height,
                  width,
                  IMAGES_START + count * height * width));
    }
    if (count != labels) {
      throw new DataException(
          "%s has %d images, but %s has %d labels; fetch both again"
              .formatted(file, count, labelsFile, labels));
    }
    return new RawImages.Layout(IMAGES_START, 0, 1, (int) height, (int) width);
  }

  private static byte[] labels(Path file, long memoryLimitBytes) {
    try (Content content = content(file, memoryLimitBytes)) {
      ByteBuffer header = header(file, content, LABELS_START, LABELS_MAGIC);
      long count = Integer.toUnsignedLong(header.getInt());
      if (count < 1 || content.size() != LABELS_START + count) {
        throw new DataException(
            "%s has %d bytes, but says %d labels; fetch it again"
                .formatted(file, content.size(), count));
      }
      new MemoryLimit(file, memoryLimitBytes).take(count);
      return content.read(LABELS_START, Math.toIntExact(count));
    } catch (IOException e) {
      throw new DataException("cannot read " + file + ": " + e, e);
    }
  }
}
