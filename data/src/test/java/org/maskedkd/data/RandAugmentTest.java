package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RandAugmentTest {
  private static final int[] FILL = {124, 116, 104};

  /** One channel's levels in all three, row by row. */
  private static Pixels grey(int... levels) {
    int size = (int) Math.sqrt(levels.length);
    byte[] bytes = new byte[3 * levels.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) levels[i % levels.length];
    }
    return new Pixels(bytes, 0, size);
  }

  private static int[] first(Pixels pixels) {
    int[] levels = new int[pixels.count()];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = pixels.bytes()[pixels.offset() + i] & 0xff;
    }
    return levels;
  }

  private static Pixels noise(int size) {
    byte[] bytes = new byte[3 * size * size];
    new SplittableRandom(3).nextBytes(bytes);
    return new Pixels(bytes, 0, size);
  }

  @ParameterizedTest
  @CsvSource({
    "rand-m9-mstd0.5-inc1, 2, 9, 0.5",
    "rand-m6-n4-mstd0.5-inc1, 4, 6, 0.5",
    "rand-inc1-m10, 2, 10, 0",
  })
  void parse_timmsNotation_isUnderstood(
      String text, int layers, double magnitude, double deviation) {
    assertThat(RandAugment.parse(text)).isEqualTo(new RandAugment(layers, magnitude, deviation));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rand",
        "rand-m9",
        "rand-m9-inc0",
        "augmix-m3-inc1",
        "rand-m11-inc1",
        "rand-w0-inc1"
      })
  void parse_anythingElse_isRefusedWithAnExample(String text) {
    assertThatThrownBy(() -> RandAugment.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'" + text + "'", "rand-m9-mstd0.5-inc1");
  }

  // Below: worked by hand from Pillow's formulas.

  @Test
  void autoContrast_levels_areStretchedFromEndToEnd() {
    Pixels pixels = grey(50, 100, 100, 150);
    pixels.autoContrast();
    // 255/100 a level: 127.5 is cut off.
    assertThat(first(pixels)).containsExactly(0, 127, 127, 255);

    Pixels flat = grey(7, 7, 7, 7);
    flat.autoContrast();
    assertThat(first(flat)).containsOnly(7);
  }

  @Test
  void equalize_fewPixels_changesNothingAndManyBecomeEven() {
    Pixels few = grey(1, 2, 3, 4);
    few.equalize();
    assertThat(first(few)).containsExactly(1, 2, 3, 4);

    // 1024 pixels, half at 10 and half at 20: step (1024 - 512)/255 = 2.
    int[] levels = new int[1024];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = i % 2 == 0 ? 10 : 20;
    }
    Pixels many = grey(levels);
    many.equalize();
    // (1 + 0)/2 and (1 + 512)/2, cut off at 255.
    assertThat(first(many)).containsOnly(0, 255);
  }

  @Test
  void pointOperations_levels_areThoseOfPillow() {
    Pixels inverted = grey(0, 100, 255, 128);
    inverted.invert();
    assertThat(first(inverted)).containsExactly(255, 155, 0, 127);

    Pixels two = grey(0, 63, 64, 255);
    two.posterize(2);
    assertThat(first(two)).containsExactly(0, 0, 64, 192);
    Pixels none = grey(0, 63, 64, 255);
    none.posterize(0);
    assertThat(first(none)).containsOnly(0);

    Pixels solar = grey(0, 99, 100, 255);
    solar.solarize(100);
    assertThat(first(solar)).containsExactly(0, 99, 155, 0);

    Pixels added = grey(0, 127, 128, 255);
    added.solarizeAdd(110, 128);
    assertThat(first(added)).containsExactly(110, 237, 128, 255);
  }

  @Test
  void brightnessAndContrast_factors_blendWithBlackAndTheMean() {
    Pixels bright = grey(10, 100, 200, 0);
    bright.brightness(1.5);
    assertThat(first(bright)).containsExactly(15, 150, 255, 0);

    // Mean of 0, 100, 100, 200 is 100.
    Pixels contrast = grey(0, 100, 100, 200);
    contrast.contrast(0.5);
    assertThat(first(contrast)).containsExactly(50, 100, 100, 150);
  }

  @Test
  void color_factorNearZero_isGreyOfTheLuminance() {
    Pixels red = new Pixels(new byte[] {(byte) 255, 0, 0}, 0, 1);
    red.color(0.0);
    // 255 * 19595 / 65536, rounded.
    assertThat(red.bytes()).containsOnly(76);
    Pixels grey = grey(10, 20, 30, 40);
    grey.color(1.9);
    assertThat(first(grey)).containsExactly(10, 20, 30, 40);
  }

  @Test
  void sharpness_spot_isSmoothedWithinTheBorder() {
    Pixels spot = grey(0, 0, 0, 0, 130, 0, 0, 0, 0);
    spot.sharpness(0);
    // 130 * 5 / 13.
    assertThat(first(spot)).containsExactly(0, 0, 0, 0, 50, 0, 0, 0, 0);
    Pixels same = grey(0, 0, 0, 0, 130, 0, 0, 0, 0);
    same.sharpness(1);
    assertThat(first(same)).containsExactly(0, 0, 0, 0, 130, 0, 0, 0, 0);
  }

  @Test
  void warp_wholePixels_movesThemAndFillsWhatComesIn() {
    Pixels pixels = grey(1, 2, 3, 4, 5, 6, 7, 8, 9);
    new Warp(1, 0, 1, 0, 1, 0).apply(pixels, FILL);
    assertThat(first(pixels)).containsExactly(2, 3, 124, 5, 6, 124, 8, 9, 124);
    assertThat(pixels.bytes()[9 + 2]).isEqualTo((byte) 116);
  }

  @Test
  void warp_quarterTurn_movesPixelsAgainstTheClock() {
    Pixels pixels = grey(10, 20, 30, 40, 50, 60, 70, 80, 90);
    Warp.rotation(90, 3).apply(pixels, FILL);
    int[] turned = {30, 60, 90, 20, 50, 80, 10, 40, 70};
    int[] found = first(pixels);
    for (int i = 0; i < turned.length; i++) {
      // The cosine is not quite 0, and a value just below a whole number is cut off.
      assertThat(found[i]).isBetween(turned[i] - 1, turned[i]);
    }
  }

  @Test
  void warp_halfPixel_weighsByTheCubicOfMinusOne() {
    Pixels pixels = grey(0, 80, 0, 80);
    new Warp(1, 0, -0.5, 0, 1, 0).apply(pixels, FILL);
    // x = 0, from -0.5: 0, 0, 0, 80 give -80/8, cut off; x = 1, from 0.5: 0, 0, 80, 80 give 40.
    assertThat(first(pixels)).containsExactly(0, 40, 0, 40);
  }

  @Test
  void apply_sameDraws_isTheSameAndLeavesOtherImagesAlone() {
    RandAugment policy = RandAugment.parse("rand-m9-mstd0.5-inc1");
    int size = 16;
    byte[] one = noise(size).bytes();
    byte[] two = new byte[3 * one.length];
    System.arraycopy(one, 0, two, one.length, one.length);
    int changed = 0;
    for (int seed = 0; seed < 200; seed++) {
      byte[] before = one.clone();
      byte[] again = two.clone();
      policy.apply(before, 0, size, FILL, Draws.of(seed, Draws.Stream.RAND_AUGMENT, 0, 0));
      policy.apply(again, one.length, size, FILL, Draws.of(seed, Draws.Stream.RAND_AUGMENT, 0, 0));
      assertThat(again).startsWith(new byte[one.length]).endsWith(new byte[one.length]);
      assertThat(Arrays.copyOfRange(again, one.length, 2 * one.length)).isEqualTo(before);
      changed += Arrays.equals(before, one) ? 0 : 1;
    }
    // Both layers left out: 1/4; a few operations change nothing of noise.
    assertThat(changed).isBetween(110, 160);
  }
}
