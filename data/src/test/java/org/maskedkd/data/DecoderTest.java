package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriter;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DecoderTest {
  private final Decoder decoder = Decoders.of(JpegLibrary.AUTO);

  @Test
  void decode_png_givesItsPlanes() throws IOException {
    BufferedImage source = TestImages.flat(4, 6, 0x112233);
    source.setRGB(5, 2, 0xFF8001);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertThat(image.height()).isEqualTo(4);
    assertThat(image.width()).isEqualTo(6);
    assertPixel(image, 0, 0, 0x11, 0x22, 0x33);
    assertPixel(image, 2, 5, 0xFF, 0x80, 0x01);
  }

  @Test
  void decode_paletteWithTransparency_takesThePalettesColour() throws IOException {
    byte[] red = {10, (byte) 200};
    byte[] green = {20, (byte) 201};
    byte[] blue = {30, (byte) 202};
    IndexColorModel palette = new IndexColorModel(8, 2, red, green, blue, /* transparent= */ 1);
    BufferedImage source = new BufferedImage(3, 3, BufferedImage.TYPE_BYTE_INDEXED, palette);
    source.getRaster().setSample(1, 2, 0, 1);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertPixel(image, 0, 0, 10, 20, 30);
    assertPixel(image, 2, 1, 200, 201, 202);
  }

  @Test
  void decode_alpha_isDroppedWithoutBlending() throws IOException {
    BufferedImage source = new BufferedImage(2, 2, BufferedImage.TYPE_INT_ARGB);
    source.setRGB(0, 0, 0x40C08010);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertPixel(image, 0, 0, 0xC0, 0x80, 0x10);
  }

  @Test
  void decode_sixteenBitGray_keepsTheHighByte() throws IOException {
    BufferedImage source = new BufferedImage(2, 1, BufferedImage.TYPE_USHORT_GRAY);
    source.getRaster().setSample(1, 0, 0, 0xABCD);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertPixel(image, 0, 0, 0, 0, 0);
    assertPixel(image, 0, 1, 0xAB, 0xAB, 0xAB);
  }

  @Test
  void decode_sixteenBitColour_keepsTheHighBytes() throws IOException {
    ColorSpace rgb = ColorSpace.getInstance(ColorSpace.CS_sRGB);
    var model =
        new ComponentColorModel(rgb, false, false, Transparency.OPAQUE, DataBuffer.TYPE_USHORT);
    WritableRaster raster = model.createCompatibleWritableRaster(1, 1);
    raster.setPixel(0, 0, new int[] {0x12FF, 0x80FF, 0xFE00});
    BufferedImage source = new BufferedImage(model, raster, false, null);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertPixel(image, 0, 0, 0x12, 0x80, 0xFE);
  }

  @Test
  void decode_oneBitGray_isBlackAndWhite() throws IOException {
    BufferedImage source = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY);
    source.setRGB(1, 0, 0xFFFFFF);

    Image image = decoder.decode(TestImages.encode(source, "png"), "a.png");

    assertPixel(image, 0, 0, 0, 0, 0);
    assertPixel(image, 0, 1, 255, 255, 255);
  }

  @Test
  void decode_bmp_givesItsPlanes() throws IOException {
    BufferedImage bgr = new BufferedImage(5, 3, BufferedImage.TYPE_3BYTE_BGR);
    bgr.setRGB(4, 1, 0x0A141E);

    Image image = decoder.decode(TestImages.encode(bgr, "bmp"), "a.bmp");

    assertPixel(image, 1, 4, 10, 20, 30);
    assertPixel(image, 0, 0, 0, 0, 0);
  }

  @ParameterizedTest
  @ValueSource(ints = {0x808080, 0xC02040, 0x10E090})
  void decode_flatJpeg_isTheColourToAStepOrTwo(int rgb) throws IOException {
    byte[] file = TestImages.encode(TestImages.flat(16, 24, rgb), "jpg");

    Image image = decoder.decode(file, "a.jpg");

    assertThat(TestImages.value(image, 0, 7, 9)).isCloseTo(rgb >> 16, within(3));
    assertThat(TestImages.value(image, 1, 7, 9)).isCloseTo(rgb >> 8 & 0xFF, within(3));
    assertThat(TestImages.value(image, 2, 7, 9)).isCloseTo(rgb & 0xFF, within(3));
  }

  @Test
  void decode_grayJpeg_hasThreeEqualPlanes() throws IOException {
    BufferedImage gray = new BufferedImage(9, 8, BufferedImage.TYPE_BYTE_GRAY);
    Arrays.fill(
        ((java.awt.image.DataBufferByte) gray.getRaster().getDataBuffer()).getData(), (byte) 77);

    Image image = decoder.decode(TestImages.encode(gray, "jpg"), "a.jpg");

    assertThat(TestImages.value(image, 0, 3, 3)).isCloseTo(77, within(1));
    int plane = 9 * 8;
    assertThat(Arrays.copyOfRange(image.rgb(), 0, plane))
        .isEqualTo(Arrays.copyOfRange(image.rgb(), plane, 2 * plane))
        .isEqualTo(Arrays.copyOfRange(image.rgb(), 2 * plane, 3 * plane));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void decode_cmykJpeg_multipliesTheComplementsByThatOfBlack(boolean adobe) throws IOException {
    byte[] file = fourBands(200, 100, 50, 128);

    Image image = decoder.decode(adobe ? withAdobe(file, 0) : file, "a.jpg");

    assertThat(TestImages.value(image, 0, 4, 4)).isCloseTo(200 * 128 / 255, within(2));
    assertThat(TestImages.value(image, 1, 4, 4)).isCloseTo(100 * 128 / 255, within(2));
    assertThat(TestImages.value(image, 2, 4, 4)).isCloseTo(50 * 128 / 255, within(2));
  }

  @Test
  void decode_ycckJpeg_convertsFirst() throws IOException {
    // Without colour, luma 90 stands for stored values of 255 - 90 in C, M and Y.
    byte[] file = withAdobe(fourBands(90, 128, 128, 255), 2);

    Image image = decoder.decode(file, "a.jpg");

    assertThat(TestImages.value(image, 0, 4, 4)).isCloseTo(165, within(1));
    assertThat(TestImages.value(image, 1, 4, 4)).isCloseTo(165, within(1));
    assertThat(TestImages.value(image, 2, 4, 4)).isCloseTo(165, within(1));
  }

  @Test
  void decode_jpegUnderAPngName_goesByItsContent() throws IOException {
    byte[] file = TestImages.encode(TestImages.flat(8, 8, 0x646464), "jpg");

    assertThat(TestImages.value(decoder.decode(file, "a.png"), 0, 0, 0)).isCloseTo(100, within(1));
  }

  @Test
  void decode_jpegWithACommentAndAnOddProfile_isTheSamePicture() throws IOException {
    byte[] file = TestImages.encode(noise(40, 50), "jpg");
    byte[] junk = {
      (byte) 0xFF,
      (byte) 0xE2,
      0,
      16,
      'I',
      'C',
      'C',
      '_',
      'P',
      'R',
      'O',
      'F',
      'I',
      'L',
      'E',
      0,
      1,
      1
    };
    byte[] dressed = insert(file, 2, junk);

    assertThat(decoder.decode(dressed, "b.jpg").rgb())
        .isEqualTo(decoder.decode(file, "a.jpg").rgb());
  }

  @ParameterizedTest
  @ValueSource(strings = {"jpg", "png", "bmp"})
  void decode_truncatedAnywhere_isAnErrorThatNamesTheFile(String format) throws IOException {
    byte[] file = TestImages.encode(noise(32, 48), format);

    for (int keep = 0; keep < 10; keep++) {
      byte[] part = Arrays.copyOf(file, file.length * keep / 10);
      assertThatThrownBy(() -> decoder.decode(part, "cut." + format), "%d tenths", keep)
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("cut." + format);
    }
    byte[] almost = Arrays.copyOf(file, file.length - 2);
    if (!format.equals("png")) { // whose last twelve bytes are no pixels
      assertThatThrownBy(() -> decoder.decode(almost, "cut"))
          .isInstanceOf(CorruptImageException.class);
    }
  }

  @Test
  void decode_jpegWithAHoleButAnEnd_isAnError() throws IOException {
    byte[] file = TestImages.encode(noise(64, 64), "jpg");
    byte[] holed = Arrays.copyOf(file, file.length / 2 + 2);
    holed[holed.length - 2] = (byte) 0xFF;
    holed[holed.length - 1] = (byte) 0xD9;

    assertThatThrownBy(() -> decoder.decode(holed, "holed.jpg"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("holed.jpg");
  }

  @Test
  void decode_emptyOrForeignBytes_saysWhich() {
    assertThatThrownBy(() -> decoder.decode(new byte[0], "none.jpg"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("none.jpg: the file is empty");
    assertThatThrownBy(
            () ->
                decoder.decode(
                    "GIF89a".getBytes(java.nio.charset.StandardCharsets.US_ASCII), "a.jpg"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("no JPEG, PNG or BMP");
  }

  @Test
  void decode_headerOfAHugePicture_isRefusedBeforeDecoding() throws IOException {
    byte[] file = TestImages.encode(TestImages.flat(8, 8, 0), "jpg");
    int frame = frameHeader(file);
    file[frame + 5] = (byte) 0xEA;
    file[frame + 7] = (byte) 0xEA;

    assertThatThrownBy(() -> decoder.decode(file, "bomb.jpg"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("59912 x 59912")
        .hasMessageContaining("100000000");
  }

  @Test
  void decode_damagedBytes_neverFailsOtherwiseThanAsCorrupt() throws IOException {
    long seed = 20261123;
    SplittableRandom random = new SplittableRandom(seed);
    for (String format : new String[] {"jpg", "png", "bmp"}) {
      byte[] file = TestImages.encode(noise(16, 16), format);
      for (int round = 0; round < 200; round++) {
        byte[] damaged = file.clone();
        for (int i = 0; i < 5; i++) {
          damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
        }
        try {
          assertThat(decoder.decode(damaged, format).rgb()).isNotEmpty();
        } catch (CorruptImageException e) {
          assertThat(e).as("seed %d, round %d", seed, round).hasMessageContaining(format);
        }
      }
    }
  }

  @Test
  void name_sameLibrary_isTheSameAndHoldsADigest() {
    assertThat(Decoders.of(JpegLibrary.JDK).name()).matches("jdk/[0-9a-f]{8}");
    assertThat(Decoders.name()).isEqualTo(decoder.name());
  }

  private static void assertPixel(Image image, int y, int x, int red, int green, int blue) {
    int[] pixel = {
      TestImages.value(image, 0, y, x),
      TestImages.value(image, 1, y, x),
      TestImages.value(image, 2, y, x)
    };
    assertThat(pixel).containsExactly(red, green, blue);
  }

  private static BufferedImage noise(int height, int width) {
    return Pictures.buffered(
        new Image(height, width, bytes(new SplittableRandom(5), 3 * height * width)));
  }

  private static byte[] bytes(SplittableRandom random, int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  private static byte[] fourBands(int... values) throws IOException {
    WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 8, 8, 4, null);
    for (int i = 0; i < 64; i++) {
      raster.setPixel(i % 8, i / 8, values);
    }
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (var stream = new MemoryCacheImageOutputStream(out)) {
      writer.setOutput(stream);
      writer.write(null, new IIOImage(raster, null, null), null);
    } finally {
      writer.dispose();
    }
    return out.toByteArray();
  }

  private static byte[] withAdobe(byte[] file, int transform) {
    byte[] adobe = {
      (byte) 0xFF, (byte) 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, (byte) transform
    };
    return insert(file, 2, adobe);
  }

  private static byte[] insert(byte[] file, int position, byte[] what) {
    byte[] out = new byte[file.length + what.length];
    System.arraycopy(file, 0, out, 0, position);
    System.arraycopy(what, 0, out, position, what.length);
    System.arraycopy(file, position, out, position + what.length, file.length - position);
    return out;
  }

  private static int frameHeader(byte[] file) {
    for (int i = 0; i < file.length - 1; i++) {
      if (file[i] == (byte) 0xFF && file[i + 1] == (byte) 0xC0) {
        return i;
      }
    }
    throw new AssertionError("no baseline frame header");
  }
}
