package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FramingTest {
  private static final Augment.Cropping CROPS = Augment.Cropping.INCEPTION;

  @Test
  void center_imageOfTheRightSize_isUntouched() {
    Image image = TestImages.indexed(32, 32, 3);

    assertThat(Framing.center(image, 32, 1)).isSameAs(image);
  }

  @Test
  void center_longSideOfTheRightShortSide_cutsTheMiddle() {
    Image image = TestImages.indexed(8, 13, 0);

    Image cut = Framing.center(image, 8, 1);

    // (13 - 8) / 2 = 2.5 rounds to the even 2.
    for (int y = 0; y < 8; y++) {
      for (int x = 0; x < 8; x++) {
        assertThat(TestImages.value(cut, 1, y, x)).isEqualTo(TestImages.value(image, 1, y, x + 2));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "-1, 0", "0, 2", "0, -2", "3, -3", "-6, 1", "0, 0"})
  void shift_movesPixelsAndFillsWithBlack(int top, int left) {
    int size = 6;
    Image image = TestImages.indexed(size, size, 1);

    Image moved = Framing.shift(image, top, left);

    for (int c = 0; c < 3; c++) {
      for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
          int fromY = y + top;
          int fromX = x + left;
          boolean inside = fromY >= 0 && fromY < size && fromX >= 0 && fromX < size;
          int expected = inside ? TestImages.value(image, c, fromY, fromX) : 0;
          assertThat(TestImages.value(moved, c, y, x)).isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void padded_manyDraws_reachEveryShiftEvenly() {
    Image image = TestImages.indexed(8, 8, 1);
    Augment augment = Augment.shiftsAndFlips(1);
    int[] seen = new int[9];

    for (int i = 0; i < 9000; i++) {
      Image cut = Framing.padded(image, 8, 8, augment, Draws.of(1, Draws.Stream.CROP, i));
      for (int s = 0; s < 9; s++) {
        if (java.util.Arrays.equals(cut.rgb(), Framing.shift(image, s / 3 - 1, s % 3 - 1).rgb())) {
          seen[s]++;
        }
      }
    }

    // Five standard deviations of a binomial count, seed 1.
    for (int count : seen) {
      assertThat(count).isCloseTo(1000, within(150));
    }
  }

  @Test
  void flip_mirrorsRowsOfThatImageOnly() {
    Image image = TestImages.indexed(5, 5, 9);
    byte[] two = new byte[150];
    System.arraycopy(image.rgb(), 0, two, 75, 75);

    Framing.flip(two, 75, 5);

    for (int i = 0; i < 75; i++) {
      int mirrored = i / 5 * 5 + 4 - i % 5;
      assertThat(two[75 + i]).isEqualTo(image.rgb()[mirrored]);
      assertThat(two[i]).isZero();
    }
  }

  @Test
  void randomBox_manyDraws_staysInsideItsBounds() {
    double areas = 0;
    int boxes = 20_000;
    for (int i = 0; i < boxes; i++) {
      Framing.Box box = Framing.randomBox(240, 300, CROPS, Draws.of(7, Draws.Stream.CROP, i));

      assertThat(box.top()).isBetween(0, 240 - box.height());
      assertThat(box.left()).isBetween(0, 300 - box.width());
      double ratio = (double) box.width() / box.height();
      assertThat(ratio).isBetween(0.73, 1.37); // 3/4 and 4/3, of whole pixels
      areas += (double) box.height() * box.width() / (240 * 300);
    }
    // Uniform on [0.08, 1] has mean 0.54; boxes that do not fit are drawn anew, which favours small
    // ones. Seed 7.
    assertThat(areas / boxes).isBetween(0.45, 0.54);
  }

  @Test
  void randomBox_stripThatFitsNoBox_takesTheMiddleAtTheLargestRatio() {
    Augment.Cropping large =
        new Augment.Cropping(Augment.Crop.RANDOM_RESIZED, 0, 0.9, 1, 3.0 / 4, 4.0 / 3);

    Framing.Box box = Framing.randomBox(30, 1000, large, Draws.of(1, Draws.Stream.CROP));

    assertThat(box).isEqualTo(new Framing.Box(0, 480, 30, 40));
  }

  @Test
  void resize_ramp_staysARamp() {
    byte[] rgb = new byte[3 * 4 * 64];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) (i % 64 * 4);
    }

    Image half = Resize.to(new Image(4, 64, rgb), 4, 32);

    // Centres of the new pixels lie halfway between two old ones: 4 * (2x + 1/2).
    for (int x = 3; x < 29; x++) {
      assertThat(TestImages.value(half, 2, 1, x)).isCloseTo(8 * x + 2, within(1));
    }
  }

  @Test
  void resize_singlePixelColumns_areAveragedNotPicked() {
    byte[] rgb = new byte[3 * 4 * 64];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) (i % 2 == 0 ? 0 : 200);
    }

    Image quarter = Resize.to(new Image(4, 64, rgb), 4, 16);

    for (int x = 2; x < 14; x++) {
      assertThat(TestImages.value(quarter, 0, 2, x)).isCloseTo(100, within(2));
    }
  }

  @ParameterizedTest
  @CsvSource({"37, 53, 16, 16", "20, 24, 32, 32", "30, 30, 30, 17", "64, 48, 24, 32"})
  void resize_noise_isThatOfAPlainWideningKernel(int height, int width, int toHeight, int toWidth) {
    byte[] rgb = new byte[3 * height * width];
    new SplittableRandom(11).nextBytes(rgb);
    Image image = new Image(height, width, rgb);

    Image resized = Resize.to(image, toHeight, toWidth);

    double[] rows = PlainResize.weights(height, toHeight);
    double[] columns = PlainResize.weights(width, toWidth);
    for (int c = 0; c < 3; c++) {
      for (int y = 0; y < toHeight; y++) {
        for (int x = 0; x < toWidth; x++) {
          int expected = PlainResize.at(image, c, y, x, rows, columns);
          // Two passes, each rounded to uint8, against one that rounds as well but in floating
          // point.
          assertThat(TestImages.value(resized, c, y, x)).isCloseTo(expected, within(1));
        }
      }
    }
  }
}
