package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.tensor.Torch;

/** The same images at two sizes, from pictures that have more pixels than either. */
class SecondViewTest {
  private static final int BATCH = 8;
  private static final int SIZE = 32;
  private static final int STEPS = 4;

  private static ImageSource pictures;

  @BeforeAll
  static void open() {
    Torch.start(1);
    pictures =
        ImageSource.open(
            "generated:classes=4,images=32,size=96,patch=12,seed=5,split=train", Path.of("."));
  }

  @AfterAll
  static void close() {
    pictures.close();
  }

  private static TrainBatches batches(Augment augment, int second) {
    return new TrainBatches(
        pictures, BATCH, SIZE, second, augment, TestImages.MEAN, TestImages.STD, 0, 3);
  }

  private static Augment augment(String kind) {
    return switch (kind) {
      case "center" -> Augment.none(0.875);
      case "crops" -> Augment.cropsAndFlips(1);
      case "jitter" -> jitter();
      case "pad" -> Augment.shiftsAndFlips(4);
      case "mixup" -> Augment.cropsAndFlips(1).withMixing(0.8, 0, 1, 0);
      case "cutmix" -> Augment.cropsAndFlips(1).withMixing(0, 1, 1, 1);
      case "erasing" -> Augment.cropsAndFlips(1).withErasing(1, 0.1);
      case "everything" -> everything();
      default -> throw new IllegalArgumentException(kind);
    };
  }

  private static Augment everything() {
    Augment crops = augment("crops");
    return new Augment(
            crops.cropping(), 0.5, "rand-m9-mstd0.5-inc1", 0, 1, crops.mix(), 0.25, 0.1, 1)
        .withMixing(0.8, 1, 1, 0.5);
  }

  private static Augment jitter() {
    Augment crops = augment("crops");
    return new Augment(crops.cropping(), 0.5, "", 0.4, 1, crops.mix(), 0, 0.1, 1);
  }

  /** Mean distance in levels between the student's view and the other one, brought to its size. */
  private static double distance(Batch batch, int of, int to) {
    Batch.Second second = Objects.requireNonNull(batch.second());
    byte[] large = part(second.images(), to, second.imageBytes());
    byte[] reduced = Resize.to(new Image(second.size(), second.size(), large), SIZE, SIZE).rgb();
    byte[] own = part(batch.images(), of, batch.imageBytes());
    double sum = 0;
    for (int i = 0; i < own.length; i++) {
      sum += Math.abs((own[i] & 0xff) - (reduced[i] & 0xff));
    }
    return sum / own.length;
  }

  private static byte[] part(byte[] images, int position, int bytes) {
    return Arrays.copyOfRange(images, position * bytes, (position + 1) * bytes);
  }

  // What is left: pixels at edges, noise of 32 pixels that 48 or 80 cannot show, and colour
  // operations that look at the neighbours or at all pixels.
  @ParameterizedTest
  @CsvSource({
    "center, 48, 3",
    "center, 96, 3",
    "crops, 48, 3",
    "jitter, 48, 4",
    "crops, 80, 3",
    "pad, 48, 4",
    "mixup, 48, 3",
    "cutmix, 48, 4",
    "cutmix, 80, 4",
    "erasing, 64, 6",
    "everything, 48, 9",
    "crops, 24, 9"
  })
  void batch_second_reducedIsTheFirst(String kind, int second, double levels) {
    TrainBatches batches = batches(augment(kind), second);
    double own = 0;
    double others = 0;
    for (int step = 1; step <= STEPS; step++) {
      Batch batch = batches.batch(step);
      for (int i = 0; i < BATCH; i++) {
        own += distance(batch, i, i) / (STEPS * BATCH);
        others += distance(batch, i, (i + 1) % BATCH) / (STEPS * BATCH);
      }
    }
    assertThat(own).isLessThan(levels).isLessThan(others / 3);
  }

  @Test
  void batch_second_isTheSameInAnyOrderAndLeavesTheFirstAsItWas() {
    TrainBatches both = batches(everything(), 48);
    TrainBatches again = batches(everything(), 48);
    TrainBatches alone = batches(everything(), 0);
    Batch second = again.batch(2);
    for (long step = 1; step <= 2; step++) {
      Batch batch = both.batch(step);
      BatchesTest.assertSame(batch, alone.batch(step));
      assertThat(alone.batch(step).second()).isNull();
      if (step == 2) {
        assertThat(Objects.requireNonNull(batch.second()).images())
            .isEqualTo(Objects.requireNonNull(second.second()).images());
      }
    }
  }

  @Test
  void batch_second_showsWhatTheFirstCannot() {
    Batch batch = batches(Augment.none(1), 96).batch(1);
    byte[] picture = pictures.decode(batch.indices()[0]).rgb();
    assertThat(part(Objects.requireNonNull(batch.second()).images(), 0, 3 * 96 * 96))
        .isEqualTo(picture);
  }

  @Test
  void evalBatch_second_isTheSameCrop() {
    EvalBatches eval = new EvalBatches(pictures, BATCH, SIZE, 48, 0.875);
    Batch batch = eval.batch(1);
    for (int i = 0; i < BATCH; i++) {
      assertThat(distance(batch, i, i)).isLessThan(3);
    }
    assertThat(new EvalBatches(pictures, BATCH, SIZE, 0.875).batch(1).second()).isNull();
  }
}
