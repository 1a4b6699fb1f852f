package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class BatchesTest {
  private static final int SIZE = 16;

  private static ImageSource images(int count, int height, int width) {
    List<Image> images = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      images.add(TestImages.indexed(height, width, i * 31));
    }
    return TestImages.inMemory(images, 5);
  }

  private static TrainBatches train(ImageSource source, int batch, Augment augment, long seed) {
    return new TrainBatches(source, batch, SIZE, augment, TestImages.MEAN, TestImages.STD, 0, seed);
  }

  private static final Augment EVERYTHING =
      Augment.cropsAndFlips(1).withMixing(0.8, 1, 0.9, 0.5).withErasing(0.5, 0.1);

  static void assertSame(Batch actual, Batch expected) {
    assertThat(actual.step()).isEqualTo(expected.step());
    assertThat(actual.epoch()).isEqualTo(expected.epoch());
    assertThat(actual.indices()).isEqualTo(expected.indices());
    assertThat(actual.labels()).isEqualTo(expected.labels());
    assertThat(actual.targets()).isEqualTo(expected.targets());
    assertThat(actual.images()).isEqualTo(expected.images());
  }

  @Test
  void batch_twoInstancesAskedInAnyOrder_areTheSame() {
    ImageSource source = images(23, 20, 28);
    TrainBatches forward = train(source, 5, EVERYTHING, 42);
    TrainBatches backward = train(source, 5, EVERYTHING, 42);
    List<Batch> first = new ArrayList<>();
    for (long step = 1; step <= 9; step++) {
      first.add(forward.batch(step));
    }

    for (long step = 9; step >= 1; step--) {
      assertSame(backward.batch(step), first.get((int) step - 1));
    }
  }

  @Test
  void batch_otherSeedOrStep_isAnother() {
    ImageSource source = images(23, SIZE, SIZE);
    byte[] one = train(source, 5, EVERYTHING, 42).batch(1).images();

    assertThat(train(source, 5, EVERYTHING, 43).batch(1).images()).isNotEqualTo(one);
    assertThat(train(source, 5, EVERYTHING, 42).batch(5).images()).isNotEqualTo(one);
  }

  @Test
  void batch_overAnEpoch_takesEveryImageAtMostOnceAndAnewEachEpoch() {
    TrainBatches batches = train(images(23, SIZE, SIZE), 5, Augment.none(1), 1);
    assertThat(batches.stepsPerEpoch()).isEqualTo(4);
    List<Integer> orders = new ArrayList<>();

    for (int epoch = 0; epoch < 3; epoch++) {
      TreeSet<Integer> seen = new TreeSet<>();
      List<Integer> order = new ArrayList<>();
      for (int i = 1; i <= 4; i++) {
        Batch batch = batches.batch(epoch * 4L + i);
        assertThat(batch.epoch()).isEqualTo(epoch);
        Arrays.stream(batch.indices()).forEach(seen::add);
        Arrays.stream(batch.indices()).forEach(order::add);
      }
      assertThat(seen).hasSize(20);
      orders.add(order.hashCode());
    }
    assertThat(new TreeSet<>(orders)).hasSize(3);
  }

  @Test
  void batch_plain_holdsTheImagesAndTheirLabels() {
    ImageSource source = images(12, SIZE, SIZE);

    Batch batch = train(source, 4, Augment.none(1), 8).batch(2);

    for (int i = 0; i < 4; i++) {
      int index = batch.indices()[i];
      byte[] image = Arrays.copyOfRange(batch.images(), i * 3 * 256, (i + 1) * 3 * 256);
      assertThat(image).isEqualTo(source.decode(index).rgb());
      assertThat(batch.labels()[i]).isEqualTo(index % 5);
      assertThat(batch.targets()[i * 5 + index % 5]).isEqualTo(1);
    }
  }

  @Test
  void batch_mixed_targetsAddUpToOne() {
    TrainBatches batches = train(images(30, SIZE, SIZE), 7, EVERYTHING, 4);

    for (long step = 1; step <= 20; step++) {
      Batch batch = batches.batch(step);
      for (int i = 0; i < 7; i++) {
        double sum = 0;
        for (int c = 0; c < 5; c++) {
          sum += batch.targets()[i * 5 + c];
        }
        assertThat(sum).as("seed 4, step %d", step).isCloseTo(1, within(1e-6));
      }
    }
  }

  @Test
  void batch_mixupOfFlatImages_pixelsAndTargetsShareTheirLambda() {
    List<Image> flat = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      byte[] rgb = new byte[3 * SIZE * SIZE];
      Arrays.fill(rgb, (byte) (i * 250));
      flat.add(new Image(SIZE, SIZE, rgb));
    }
    TrainBatches batches =
        train(TestImages.inMemory(flat, 2), 2, Augment.none(1).withMixing(1, 0, 1, 0), 6);

    for (long step = 1; step <= 10; step++) {
      Batch batch = batches.batch(step);
      // Image 1 is white, so its share of a picture is also its class's share of the target.
      double white = (batch.images()[0] & 0xFF) / 250.0;
      assertThat(white).as("seed 6").isCloseTo(batch.targets()[1], within(0.5 / 250 + 1e-6));
    }
  }

  @Test
  void flip_halfOfTheSamples_areMirrored() {
    Augment flips = new Augment(Augment.Cropping.CENTER, 0.5, "", 0, 1, Augment.Mix.NONE, 0, 0, 1);
    ImageSource source = images(100, SIZE, SIZE);
    TrainBatches batches = train(source, 100, flips, 12);
    int mirrored = 0;

    for (long step = 1; step <= 20; step++) {
      Batch batch = batches.batch(step);
      for (int i = 0; i < 100; i++) {
        byte[] image = Arrays.copyOfRange(batch.images(), i * 768, (i + 1) * 768);
        byte[] original = source.decode(batch.indices()[i]).rgb().clone();
        if (!Arrays.equals(image, original)) {
          Framing.flip(original, 0, SIZE);
          assertThat(image).isEqualTo(original);
          mirrored++;
        }
      }
    }
    assertThat(mirrored).as("seed 12").isCloseTo(1000, within(110));
  }

  @Test
  void repeats_three_showEachImageOfAnEpochThreeTimesVariedAnew() {
    ImageSource source = images(90, SIZE, SIZE);
    TrainBatches batches = train(source, 30, Augment.shiftsAndFlips(3).withRepeats(3), 12);
    assertThat(batches.stepsPerEpoch()).isEqualTo(3);
    for (int epoch = 0; epoch < 2; epoch++) {
      int[] seen = new int[90];
      int alike = 0;
      for (long step = 1 + 3L * epoch; step <= 3 + 3L * epoch; step++) {
        Batch batch = batches.batch(step);
        for (int i = 0; i < 30; i++) {
          seen[batch.indices()[i]]++;
          boolean again = i % 3 > 0;
          assertThat(again).isEqualTo(i > 0 && batch.indices()[i] == batch.indices()[i - 1]);
          int bytes = batch.imageBytes();
          if (again
              && Arrays.mismatch(
                      Arrays.copyOfRange(batch.images(), (i - 1) * bytes, i * bytes),
                      Arrays.copyOfRange(batch.images(), i * bytes, (i + 1) * bytes))
                  < 0) {
            alike++;
          }
        }
      }
      assertThat(seen).containsOnly(0, 3);
      assertThat(Arrays.stream(seen).sum()).isEqualTo(90);
      // One of 98 shifts and flips, of 60 pairs.
      assertThat(alike).as("seed 12").isLessThan(6);
    }
  }

  @Test
  void train_fewerImagesThanABatch_saysBothNumbers() {
    assertThatThrownBy(() -> train(images(3, SIZE, SIZE), 4, Augment.none(1), 1))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("a batch of 4")
        .hasMessageContaining("there are 3");
  }

  @Test
  void eval_lastBatch_isWhatIsLeft() {
    ImageSource source = images(10, SIZE, SIZE);
    EvalBatches batches = new EvalBatches(source, 4, SIZE, 1);

    assertThat(batches.steps()).isEqualTo(3);
    Batch last = batches.batch(3);
    assertThat(last.count()).isEqualTo(2);
    assertThat(last.indices()).containsExactly(8, 9);
    assertThat(last.images()).hasSize(2 * 3 * SIZE * SIZE);
    assertThat(Arrays.copyOf(last.images(), 768)).isEqualTo(source.decode(8).rgb());
    assertThatThrownBy(() -> batches.batch(4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("step 4 is not in 1..3");
  }

  @Test
  void subset_balanced_hasEveryClassAndGrowsByAdding() {
    ImageSource source = images(53, SIZE, SIZE);

    ImageSource small = Subset.balanced(source, 12, 3);
    ImageSource large = Subset.balanced(source, 20, 3);

    int[] perClass = new int[5];
    List<String> names = new ArrayList<>();
    for (int i = 0; i < small.size(); i++) {
      perClass[small.label(i)]++;
      names.add(small.name(i));
    }
    assertThat(names).hasSize(12).doesNotHaveDuplicates();
    assertThat(perClass).containsOnly(2, 3);
    List<String> more = new ArrayList<>();
    for (int i = 0; i < large.size(); i++) {
      more.add(large.name(i));
    }
    assertThat(more).hasSize(20).containsAll(names);
    assertThat(Subset.balanced(source, 12, 4).fingerprint()).isNotEqualTo(small.fingerprint());
    assertThat(Subset.balanced(source, 12, 3).fingerprint()).isEqualTo(small.fingerprint());
    assertThat(Subset.balanced(source, 0, 3)).isSameAs(source);
  }
}
