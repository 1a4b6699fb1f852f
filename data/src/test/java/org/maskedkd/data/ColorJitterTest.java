package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ColorJitterTest {
  private static final int SIZE = 4;

  private static Draws draws(int place) {
    return Draws.of(5, Draws.Stream.COLOR_JITTER, 0, place);
  }

  private static byte[] jittered(byte[] image, double strength, int place) {
    byte[] out = image.clone();
    new ColorJitter(strength).apply(out, 0, SIZE, draws(place));
    return out;
  }

  private static byte[] noise() {
    byte[] bytes = new byte[3 * SIZE * SIZE];
    new SplittableRandom(3).nextBytes(bytes);
    return bytes;
  }

  /**
   * Written without {@link Pixels}, from Pillow's definitions: a blend of the image with black,
   * with its mean grey, with its greys.
   */
  private static int[] plain(byte[] image, int change, double factor) {
    int pixels = SIZE * SIZE;
    int[] grey = new int[pixels];
    for (int i = 0; i < pixels; i++) {
      int red = image[i] & 0xFF;
      int green = image[pixels + i] & 0xFF;
      int blue = image[2 * pixels + i] & 0xFF;
      grey[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    }
    int mean = (int) (IntStream.of(grey).average().orElseThrow() + 0.5);
    int[] out = new int[3 * pixels];
    for (int i = 0; i < out.length; i++) {
      int from = change == 0 ? 0 : change == 1 ? mean : grey[i % pixels];
      float blended = from + (float) factor * ((image[i] & 0xFF) - from);
      out[i] = (int) Math.max(0, Math.min(255, blended));
    }
    return out;
  }

  private static byte[] bytes(int[] values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  @Test
  void apply_anyDraws_isThreeEnhancementsInSomeOrder() {
    byte[] image = noise();
    List<int[]> orders =
        List.of(
            new int[] {0, 1, 2},
            new int[] {0, 2, 1},
            new int[] {1, 0, 2},
            new int[] {1, 2, 0},
            new int[] {2, 0, 1},
            new int[] {2, 1, 0});
    int[] seen = new int[6];
    for (int place = 0; place < 120; place++) {
      Draws again = draws(place);
      again.shuffle(new int[3]);
      double[] factors = new double[3];
      for (int i = 0; i < 3; i++) {
        factors[i] = again.uniform(0.6, 1.4);
      }
      byte[] found = jittered(image, 0.4, place);
      List<Integer> fitting = new ArrayList<>();
      for (int order = 0; order < 6; order++) {
        byte[] expected = image;
        for (int change : orders.get(order)) {
          expected = bytes(plain(expected, change, factors[change]));
        }
        if (Arrays.equals(expected, found)) {
          fitting.add(order);
        }
      }
      assertThat(fitting).as("seed 5, place %d", place).isNotEmpty();
      seen[fitting.get(0)]++;
    }
    assertThat(IntStream.of(seen).min().orElseThrow()).as("seed 5").isGreaterThanOrEqualTo(8);
  }

  @Test
  void apply_greyImage_variesItsBrightnessBothWaysWithinTheStrength() {
    byte[] grey = new byte[3 * SIZE * SIZE];
    Arrays.fill(grey, (byte) 100);
    int darker = 0;
    for (int place = 0; place < 400; place++) {
      // Contrast and saturation leave what is all one grey as it is.
      int level = jittered(grey, 0.3, place)[0] & 0xFF;
      assertThat(level).isBetween(69, 130);
      darker += level < 100 ? 1 : 0;
    }
    assertThat(darker).as("seed 5").isCloseTo(200, within(50));
  }

  @Test
  void batch_jittered_isAFunctionOfSeedAndStepAndChangesNothingElse() {
    List<Image> images = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      images.add(TestImages.indexed(SIZE, SIZE, 17 * i));
    }
    ImageSource source = TestImages.inMemory(images, 3);
    TrainBatches jittered = batches(source, 0.4);
    Batch plain = batches(source, 0).batch(2);
    Batch varied = jittered.batch(2);

    assertThat(varied.images()).isNotEqualTo(plain.images());
    assertThat(varied.indices()).isEqualTo(plain.indices());
    BatchesTest.assertSame(batches(source, 0.4).batch(2), varied);
    // The first image of the second step stands at place 6 of the epoch.
    byte[] first = Arrays.copyOf(plain.images(), 3 * SIZE * SIZE);
    assertThat(Arrays.copyOf(varied.images(), 3 * SIZE * SIZE)).isEqualTo(jittered(first, 0.4, 6));
  }

  private static TrainBatches batches(ImageSource source, double jitter) {
    Augment augment =
        new Augment(Augment.Cropping.CENTER, 0, "", jitter, 1, Augment.Mix.NONE, 0, 0, 1);
    return new TrainBatches(source, 6, SIZE, augment, TestImages.MEAN, TestImages.STD, 0, 5);
  }

  @Test
  void augment_jitterBesideRandAugment_isRefused() {
    assertThatThrownBy(
            () ->
                new Augment(
                    Augment.Cropping.CENTER, 0, "rand-m9-inc1", 0.3, 1, Augment.Mix.NONE, 0, 0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("colorJitter is 0.3");
  }
}
