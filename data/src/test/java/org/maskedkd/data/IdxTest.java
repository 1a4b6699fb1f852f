package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdxTest {
  private static final int IMAGES = 0x803;
  private static final int LABELS = 0x801;

  @TempDir private Path root;

  private static byte[] idx(int magic, int[] sizes, byte[] content) {
    ByteBuffer out = ByteBuffer.allocate(4 + 4 * sizes.length + content.length).putInt(magic);
    Arrays.stream(sizes).forEach(out::putInt);
    return out.put(content).array();
  }

  private static byte[] pixels(int count) {
    byte[] pixels = new byte[count];
    for (int i = 0; i < count; i++) {
      pixels[i] = (byte) (3 * i);
    }
    return pixels;
  }

  private void write(String name, byte[] bytes) throws IOException {
    try (OutputStream out = Files.newOutputStream(root.resolve(name));
        OutputStream packed = name.endsWith(".gz") ? new GZIPOutputStream(out) : out) {
      packed.write(bytes);
    }
  }

  /** Four images of 2 x 3 pixels with the labels 2, 0, 1, 2. */
  private void sound(String images, String labels) throws IOException {
    write(images, idx(IMAGES, new int[] {4, 2, 3}, pixels(24)));
    write(labels, idx(LABELS, new int[] {4}, new byte[] {2, 0, 1, 2}));
  }

  @ParameterizedTest
  @CsvSource({
    "train-images-idx3-ubyte, train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz",
    "emnist-letters-test-images.idx3-ubyte, emnist-letters-test-labels.idx1-ubyte",
  })
  void open_twoFiles_areGreyImagesWithThreeEqualPlanes(String images, String labels)
      throws IOException {
    sound(images, labels);

    try (ImageSource source = ImageSource.open("idx:" + images, root)) {
      assertThat(source.size()).isEqualTo(4);
      assertThat(source.classes()).containsExactly("0", "1", "2");
      assertThat(source.label(0)).isEqualTo(2);
      assertThat(source.name(3)).isEqualTo("2/" + images + "#3");
      assertThat(source.bytes(0)).isEqualTo(6);
      Image image = source.decode(3);
      assertThat(image.height()).isEqualTo(2);
      assertThat(image.width()).isEqualTo(3);
      byte[] plane = Arrays.copyOfRange(pixels(24), 18, 24);
      for (int c = 0; c < 3; c++) {
        assertThat(Arrays.copyOfRange(image.rgb(), 6 * c, 6 * c + 6)).isEqualTo(plane);
      }
    }
  }

  @Test
  void open_packedAndNot_haveOneContent() throws IOException {
    // Beyond one block of what is held.
    byte[] labels = new byte[3000];
    byte[] pixels = pixels(3000 * 28 * 28);
    for (String end : new String[] {"", ".gz"}) {
      write("train-images-idx3-ubyte" + end, idx(IMAGES, new int[] {3000, 28, 28}, pixels));
      write("train-labels-idx1-ubyte" + end, idx(LABELS, new int[] {3000}, labels));
    }
    try (ImageSource plain = ImageSource.open("idx:train-images-idx3-ubyte", root);
        ImageSource packed = ImageSource.open("idx:train-images-idx3-ubyte.gz", root)) {
      // Image 1337 lies on both sides of the border of the first MiB.
      for (int i : new int[] {0, 1337, 2674, 2999}) {
        assertThat(packed.decode(i).rgb()).isEqualTo(plain.decode(i).rgb());
        assertThat(Arrays.copyOf(plain.decode(i).rgb(), 784))
            .isEqualTo(Arrays.copyOfRange(pixels, 784 * i, 784 * (i + 1)));
      }
    }
  }

  private void refused(byte[] images, byte[] labels, String... messages) throws IOException {
    for (String end : new String[] {"", ".gz"}) {
      write("images" + end, images);
      write("labels" + end, labels);
      assertThatThrownBy(() -> ImageSource.open("idx:images" + end, root))
          .isInstanceOf(DataException.class)
          .hasMessageContainingAll(messages);
    }
  }

  private static final byte[] FOUR_LABELS = idx(LABELS, new int[] {4}, new byte[4]);

  @Test
  void open_otherMagic_isRefused() throws IOException {
    refused(idx(LABELS, new int[] {4, 2, 3}, new byte[24]), FOUR_LABELS, "00000801", "00000803");
    refused(
        idx(IMAGES, new int[] {4, 2, 3}, new byte[24]),
        idx(0x0D01, new int[] {4}, new byte[4]),
        "labels",
        "00000d01",
        "00000801");
  }

  @Test
  void open_countsThatDoNotFit_areRefused() throws IOException {
    refused(idx(IMAGES, new int[] {5, 2, 3}, new byte[24]), FOUR_LABELS, "images", "5 images");
    refused(idx(IMAGES, new int[] {3, 2, 3}, new byte[24]), FOUR_LABELS, "images", "3 images");
    refused(idx(IMAGES, new int[] {3, 2, 4}, new byte[24]), FOUR_LABELS, "3 images", "4 labels");
    refused(
        idx(IMAGES, new int[] {4, 2, 3}, new byte[24]),
        idx(LABELS, new int[] {0}, new byte[0]),
        "labels",
        "0 labels");
    refused(
        idx(IMAGES, new int[] {4, 2, 3}, new byte[24]),
        idx(LABELS, new int[] {5}, new byte[4]),
        "labels",
        "5 labels");
  }

  @Test
  void open_hugeSizes_areRefusedBeforeMemoryIsTaken() throws IOException {
    int[][] sizes = {
      {-1, 28, 28}, {4, -1, 1}, {4, 1, -1}, {4, -1, -1}, {1, 65536, 65536}, {4, 0, 6}, {0, 2, 3}
    };
    for (int[] size : sizes) {
      refused(idx(IMAGES, size, new byte[24]), FOUR_LABELS, "images");
    }
    refused(
        idx(IMAGES, new int[] {4, 2, 3}, new byte[24]),
        idx(LABELS, new int[] {-1}, new byte[4]),
        "4294967295 labels");
  }

  @Test
  void open_cutAnywhere_isRefused() throws IOException {
    byte[] images = idx(IMAGES, new int[] {4, 2, 3}, new byte[24]);
    for (int cut = 0; cut < images.length; cut += 5) {
      refused(Arrays.copyOf(images, cut), FOUR_LABELS, "images");
    }
    for (int cut = 0; cut < FOUR_LABELS.length; cut += 3) {
      refused(images, Arrays.copyOf(FOUR_LABELS, cut), "labels");
    }
  }

  @Test
  void open_damagedOrNoGzip_namesTheFile() throws IOException {
    sound("images.gz", "labels.gz");
    byte[] packed = Files.readAllBytes(root.resolve("images.gz"));
    Files.write(root.resolve("images.gz"), Arrays.copyOf(packed, packed.length - 9));
    assertThatThrownBy(() -> ImageSource.open("idx:images.gz", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("images.gz");
    Files.write(root.resolve("images.gz"), new byte[100]);
    assertThatThrownBy(() -> ImageSource.open("idx:images.gz", root))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("images.gz");
  }

  @Test
  void open_smallFileOfMuchWhenUnpacked_stopsAtTheLimit() throws IOException {
    write("images.gz", new byte[50_000_000]);
    write("labels.gz", FOUR_LABELS);
    assertThat(Files.size(root.resolve("images.gz"))).isLessThan(100_000);
    SourceOptions small = SourceOptions.defaults().withMemoryLimitBytes(3_000_000);

    assertThatThrownBy(() -> ImageSource.open("idx:images.gz", root, small))
        .isInstanceOf(DataException.class)
        .hasMessageContainingAll("images.gz", "3000000 bytes", "gunzip");
  }

  @ParameterizedTest
  @ValueSource(strings = {"idx:", "idx:.", "idx:/", "idx:train.idx", "idx:../images", "idx:images"})
  void open_noSuchFile_isRefused(String spec) {
    assertThatThrownBy(() -> ImageSource.open(spec, root.resolve("data")))
        .isInstanceOf(DataException.class);
  }
}
