package org.maskedkd.data;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Decoding with the readers of the JDK. Rasters are read as stored, past every colour conversion.
 */
final class JdkDecoder implements Decoder {
  static final String LIBRARY = "jdk";

  @Override
  public String name() {
    return LIBRARY;
  }

  @Override
  public Image decode(byte[] file, String name) {
    if (JpegFile.recognises(file)) {
      return jpeg(JpegFile.parse(file, name), name);
    }
    if (startsWith(file, 0x89, 'P', 'N', 'G')) {
      return read(file, name, "png");
    }
    if (startsWith(file, 'B', 'M')) {
      return read(file, name, "bmp");
    }
    throw new CorruptImageException(
        name,
        file.length == 0
            ? "the file is empty"
            : "its first bytes are those of no JPEG, PNG or BMP file");
  }

  Image jpeg(JpegFile jpeg, String name) {
    checkSize(jpeg.width(), jpeg.height(), name);
    byte[] plain = jpeg.plain();
    if (jpeg.components() == 4) {
      Raster raster = withReader(plain, name, "jpeg", reader -> reader.readRaster(0, null));
      return Cmyk.toRgb(raster, jpeg.isYcck());
    }
    return read(plain, name, "jpeg");
  }

  static void checkSize(long width, long height, String name) {
    if (width < 1 || height < 1) {
      throw new CorruptImageException(
          name, "its header says %d x %d pixels".formatted(width, height));
    }
    if (width * height > MAX_PIXELS) {
      throw new CorruptImageException(
          name,
          "its %d x %d pixels are more than the %d that are decoded"
              .formatted(width, height, MAX_PIXELS));
    }
  }

  private static Image read(byte[] file, String name, String format) {
    BufferedImage image = withReader(file, name, format, reader -> reader.read(0));
    return toRgb(image);
  }

  private interface Reading<T> {
    T from(ImageReader reader) throws IOException;
  }

  private static <T> T withReader(byte[] file, String name, String format, Reading<T> reading) {
    ImageReader reader = reader(format);
    Warnings warnings = new Warnings();
    try (var in = new MemoryCacheImageInputStream(new ByteArrayInputStream(file))) {
      reader.addIIOReadWarningListener(warnings);
      reader.setInput(in, true, true);
      checkSize(reader.getWidth(0), reader.getHeight(0), name);
      T result = reading.from(reader);
      if (warnings.serious != null) {
        throw new CorruptImageException(name, warnings.serious);
      }
      return result;
    } catch (DataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // The JDK's readers answer damaged files with whatever exception their parsing runs into.
      throw new CorruptImageException(
          name, "cannot be decoded as " + format.toUpperCase(Locale.ROOT) + " (" + e + ")", e);
    } finally {
      reader.dispose();
    }
  }

  /** The JDK's own reader, whatever plug-ins stand on the class path. */
  private static ImageReader reader(String format) {
    Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format);
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (reader.getClass().getName().startsWith("com.sun.imageio.")) {
        return reader;
      }
    }
    throw new DataException("this Java runtime has no " + format + " reader (module java.desktop)");
  }

  private static Image toRgb(BufferedImage image) {
    Raster raster = image.getRaster();
    int pixels = image.getWidth() * image.getHeight();
    byte[] rgb = new byte[3 * pixels];
    boolean bytes =
        raster.getSampleModel() instanceof PixelInterleavedSampleModel
            && image.getColorModel().getComponentSize(0) == 8;
    if (image.getColorModel() instanceof IndexColorModel palette) {
      int[] index = raster.getSamples(0, 0, image.getWidth(), image.getHeight(), 0, (int[]) null);
      for (int i = 0; i < pixels; i++) {
        int color = palette.getRGB(index[i]);
        rgb[i] = (byte) (color >> 16);
        rgb[pixels + i] = (byte) (color >> 8);
        rgb[2 * pixels + i] = (byte) color;
      }
    } else if (bytes && raster.getNumBands() == 3) {
      byte[] pixel =
          (byte[]) raster.getDataElements(0, 0, image.getWidth(), image.getHeight(), null);
      Planes.split(pixel, pixels, rgb);
    } else {
      samples(image, raster, rgb);
    }
    return new Image(image.getHeight(), image.getWidth(), rgb);
  }

  private static void samples(BufferedImage image, Raster raster, byte[] rgb) {
    int pixels = image.getWidth() * image.getHeight();
    for (int c = 0; c < 3; c++) {
      int band = raster.getNumBands() < 3 ? 0 : c;
      int bits = image.getColorModel().getComponentSize(band);
      int most = (1 << bits) - 1;
      int[] values =
          raster.getSamples(0, 0, image.getWidth(), image.getHeight(), band, (int[]) null);
      for (int i = 0; i < pixels; i++) {
        int value = values[i];
        rgb[c * pixels + i] =
            (byte)
                (bits == 8
                    ? value
                    : bits > 8 ? value >> (bits - 8) : (value * 255 + most / 2) / most);
      }
    }
  }

  private static boolean startsWith(byte[] file, int... magic) {
    for (int i = 0; i < magic.length; i++) {
      if (i >= file.length || (file[i] & 0xFF) != magic[i]) {
        return false;
      }
    }
    return true;
  }

  /**
   * Keeps the first warning that means missing or wrong pixels; stray bytes between segments do no
   * harm.
   */
  private static final class Warnings implements IIOReadWarningListener {
    private @Nullable String serious;

    @Override
    public void warningOccurred(ImageReader source, String warning) {
      if (serious == null && isSerious(warning)) {
        serious = warning;
      }
    }
  }

  static boolean isSerious(String warning) {
    String lower = warning.toLowerCase(Locale.ROOT);
    return lower.contains("premature")
        || lower.contains("truncated")
        || lower.contains("unexpected end")
        || lower.contains("huffman")
        || lower.contains("bad ");
  }
}
