package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class MixingTest {
  private static final int SIZE = 8;
  private static final int BYTES = 3 * SIZE * SIZE;

  private static byte[] filled(int... values) {
    byte[] images = new byte[values.length * BYTES];
    for (int i = 0; i < images.length; i++) {
      images[i] = (byte) values[i / BYTES];
    }
    return images;
  }

  @Test
  void apply_mixup_roundsHalfUpFromBothOriginals() {
    byte[] images = filled(10, 77, 255);

    new Mixing(0.25, null).apply(images, 0, 2, SIZE);

    // 0.25 * 10 + 0.75 * 255 = 193.75 and 0.25 * 255 + 0.75 * 10 = 71.25
    assertThat(images).isEqualTo(filled(194, 77, 71));
    byte[] half = filled(10, 11);
    new Mixing(0.5, null).apply(half, 0, 1, SIZE);
    assertThat(half).isEqualTo(filled(11, 11));
  }

  @Test
  void cutmix_boxAtTheCorner_hasTheLambdaOfItsPixels() {
    // A cut of sqrt(1 - 0.75) = half the edge, 4 pixels, around (1, 0): rows 0..2, columns 0..1.
    Mixing mixing = Mixing.cutmix(0.75, SIZE, 1, 0);
    byte[] images = filled(1, 2);

    mixing.apply(images, 0, 1, SIZE);

    assertThat(mixing.box()).isEqualTo(new Framing.Box(0, 0, 3, 2));
    assertThat(mixing.lambda()).isEqualTo(1 - 6.0 / 64);
    int taken = 0;
    for (int i = 0; i < BYTES; i++) {
      assertThat(images[i] + images[BYTES + i]).isEqualTo(3);
      taken += images[i] == 2 ? 1 : 0;
    }
    assertThat(taken).isEqualTo(3 * 6);
  }

  @Test
  void apply_middleImageOfAnOddBatch_staysItself() {
    byte[] images = filled(1, 2, 3);

    new Mixing(0.3, null).apply(images, 1, 1, SIZE);

    assertThat(images).isEqualTo(filled(1, 2, 3));
  }

  @Test
  void target_smoothedAndMixed_isTheClosedForm() {
    float[] targets = new float[8];

    new Mixing(0.7, null).target(targets, 1, 4, 2, 0, 0.1);

    // off = 0.1 / 4, on = 0.9 + 0.025
    double off = 0.025;
    double on = 0.925;
    assertThat(targets[4]).isCloseTo((float) (0.3 * on + 0.7 * off), within(1e-7f));
    assertThat(targets[5]).isCloseTo((float) off, within(1e-7f));
    assertThat(targets[6]).isCloseTo((float) (0.7 * on + 0.3 * off), within(1e-7f));
    assertThat(targets[4] + targets[5] + targets[6] + targets[7]).isCloseTo(1, within(1e-6f));
    assertThat(targets[0]).isZero();
  }

  @Test
  void target_unmixedWithoutSmoothing_isOneHot() {
    float[] targets = new float[3];

    Mixing.NONE.target(targets, 0, 3, 1, 2, 0);

    assertThat(targets).containsExactly(0, 1, 0);
  }

  @Test
  void draw_probabilitiesAndShare_areMet() {
    Augment augment = Augment.none(1).withMixing(0.8, 1, 0.6, 0.25);
    int none = 0;
    int cut = 0;
    int draws = 20_000;
    for (int i = 0; i < draws; i++) {
      Mixing mixing = Mixing.draw(augment.mix(), 32, Draws.of(3, Draws.Stream.MIX, i));
      none += mixing == Mixing.NONE ? 1 : 0;
      cut += mixing.box() != null ? 1 : 0;
    }

    assertThat(none / (double) draws).as("seed 3").isCloseTo(0.4, within(0.018));
    assertThat(cut / (double) draws).as("seed 3").isCloseTo(0.6 * 0.25, within(0.013));
  }

  @Test
  void draw_onlyCutmix_isAlwaysCutmixWhateverItsShare() {
    Augment augment = Augment.none(1).withMixing(0, 1, 1, 0);

    for (int i = 0; i < 50; i++) {
      assertThat(Mixing.draw(augment.mix(), 32, Draws.of(3, Draws.Stream.MIX, i)).box())
          .isNotNull();
    }
  }

  @Test
  void beta_moments_areThoseOfTheDistribution() {
    for (double alpha : new double[] {0.2, 0.8, 1, 3}) {
      double sum = 0;
      double squares = 0;
      int draws = 40_000;
      for (int i = 0; i < draws; i++) {
        double value = Draws.of(5, Draws.Stream.MIX, i).beta(alpha);
        assertThat(value).isBetween(0.0, 1.0);
        sum += value;
        squares += value * value;
      }
      double mean = sum / draws;
      // Var Beta(a, a) = 1 / (4 (2a + 1))
      assertThat(mean).as("alpha %s, seed 5", alpha).isCloseTo(0.5, within(0.012));
      assertThat(squares / draws - mean * mean)
          .as("alpha %s, seed 5", alpha)
          .isCloseTo(1 / (4 * (2 * alpha + 1)), within(0.004));
    }
  }
}
