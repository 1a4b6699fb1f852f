package org.maskedkd.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;

/** Pictures and sets of pictures, made on the spot. */
final class TestImages {
  static final double[] MEAN = {0.485, 0.456, 0.406};
  static final double[] STD = {0.229, 0.224, 0.225};

  private TestImages() {}

  static byte[] encode(BufferedImage image, String format) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (!ImageIO.write(image, format, out)) {
      throw new IOException("no writer for " + format);
    }
    return out.toByteArray();
  }

  /** One colour that JPEG keeps to within a step or two. */
  static BufferedImage flat(int height, int width, int rgb) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < height * width; i++) {
      image.setRGB(i % width, i / width, rgb);
    }
    return image;
  }

  /** Every pixel's red, green and blue tell where it is. */
  static Image indexed(int height, int width, int salt) {
    byte[] rgb = new byte[3 * height * width];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) (i * 7 + salt);
    }
    return new Image(height, width, rgb);
  }

  static int value(Image image, int channel, int y, int x) {
    return image.rgb()[(channel * image.height() + y) * image.width() + x] & 0xFF;
  }

  /**
   * {@code root/class/file.png} for {@code "class/file.png"}, each picture of one colour of its
   * own.
   */
  static void folder(Path root, String... names) throws IOException {
    int color = 0x102030;
    for (String name : names) {
      Path file = root.resolve(name);
      Files.createDirectories(file.resolveSibling(""));
      Files.write(file, encode(flat(6, 8, color), name.endsWith("jpg") ? "jpg" : "png"));
      color += 0x0B0703;
    }
  }

  /** The files under {@code root}, under the same names and behind {@code prefix}. */
  static Path tar(Path file, Path root, String prefix, boolean gzip) throws IOException {
    List<Path> paths;
    try (var walk = Files.walk(root)) {
      paths = walk.sorted((a, b) -> b.compareTo(a)).toList();
    }
    try (var raw = Files.newOutputStream(file);
        var packed = gzip ? new GzipCompressorOutputStream(raw) : raw;
        var tar = new TarArchiveOutputStream(packed)) {
      for (Path path : paths) {
        if (path.equals(root)) {
          continue;
        }
        String slash = Files.isDirectory(path) ? "/" : "";
        var entry = new TarArchiveEntry(path.toFile(), prefix + root.relativize(path) + slash);
        tar.putArchiveEntry(entry);
        if (Files.isRegularFile(path)) {
          tar.write(Files.readAllBytes(path));
        }
        tar.closeArchiveEntry();
      }
    }
    return file;
  }

  /** Members in the order of the map; packed unless the name ends in {@code .tar}. */
  static Path tar(Path file, Map<String, byte[]> members) throws IOException {
    boolean gzip = !file.toString().endsWith(".tar");
    try (var raw = Files.newOutputStream(file);
        var packed = gzip ? new GzipCompressorOutputStream(raw) : raw;
        var tar = new TarArchiveOutputStream(packed)) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
      for (Map.Entry<String, byte[]> member : members.entrySet()) {
        TarArchiveEntry entry = new TarArchiveEntry(member.getKey());
        entry.setSize(member.getValue().length);
        tar.putArchiveEntry(entry);
        tar.write(member.getValue());
        tar.closeArchiveEntry();
      }
    }
    return file;
  }

  /** Images held in memory, image i being of class i mod {@code classes}. */
  static ImageSource inMemory(List<Image> images, int classes) {
    return new Held(images, classes);
  }

  private record Held(List<Image> images, int classCount) implements ImageSource {
    @Override
    public int size() {
      return images.size();
    }

    @Override
    public List<String> classes() {
      return java.util.stream.IntStream.range(0, classCount).mapToObj(c -> "class" + c).toList();
    }

    @Override
    public int label(int index) {
      return index % classCount;
    }

    @Override
    public String name(int index) {
      return "class" + label(index) + "/" + index;
    }

    @Override
    public long bytes(int index) {
      return images.get(index).rgb().length;
    }

    @Override
    public Image decode(int index) {
      return images.get(index);
    }

    @Override
    public void close() {}
  }
}
