package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.Features;
import org.maskedkd.vit.PatchSelection;

/** Against loops in double precision, and the gradient against differences of those. */
class FeatureLossTest {
  private static final int SAMPLES = 4;
  private static final int PATCHES = 6;
  private static final int KEPT = 3;
  private static final int WIDTH = 5;
  private static final int TEACHER_WIDTH = 7;
  private static final int GROUP = 2;
  private static final int ROWS = 4;
  private static final int[] PLACES = {0, 2, 5, 1, 2, 3, 0, 1, 4, 3, 4, 5};
  private static final FeatureLoss.Place PLACE = new FeatureLoss.Place(9, 8, SAMPLES, 16);

  private final SplittableRandom random = new SplittableRandom(42);

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  private static Objective objective(double manifold, double attention, double... parts) {
    return new Objective(
        false,
        Manifold.newBuilder()
            .setWeight(manifold)
            .setPatch(parts.length == 0 ? 4 : parts[0])
            .setSample(parts.length == 0 ? 0.1 : parts[1])
            .setRandom(parts.length == 0 ? 0.2 : parts[2])
            .setRows(ROWS)
            .setGroup(GROUP)
            .build(),
        manifold == 0 ? BlockPairs.NONE : new BlockPairs(List.of(0, 2), List.of(1, 1)),
        AttentionMaps.newBuilder().setWeight(attention).build(),
        attention == 0 ? BlockPairs.NONE : new BlockPairs(List.of(1, 2), List.of(0, 3)),
        TEACHER_WIDTH);
  }

  private double[] numbers(int count, double least) {
    return IntStream.range(0, count).mapToDouble(i -> least + random.nextDouble()).toArray();
  }

  /** The student's tokens of blocks 0 and 2, the teacher's of block 1, and both sides' rows. */
  private final List<double[]> tokens =
      List.of(numbers(SAMPLES * PATCHES * WIDTH, -0.5), numbers(SAMPLES * PATCHES * WIDTH, -0.5));

  private final double[] theirTokens = numbers(SAMPLES * KEPT * TEACHER_WIDTH, -0.5);
  private final List<double[]> rows =
      List.of(numbers(SAMPLES * PATCHES, 0.1), numbers(SAMPLES * PATCHES, 0.1));
  private final List<double[]> theirRows =
      List.of(numbers(SAMPLES * KEPT, 0.1), numbers(SAMPLES * KEPT, 0.1));

  private static double[] row(double[] all, int row, int width) {
    return java.util.Arrays.copyOfRange(all, row * width, (row + 1) * width);
  }

  /** Row {@code kept} of a sample, of the student's tokens. */
  private static double[] ours(double[] all, int sample, int kept) {
    return row(all, sample * PATCHES + PLACES[sample * KEPT + kept], WIDTH);
  }

  private double[] theirs(int sample, int kept) {
    return row(theirTokens, sample * KEPT + kept, TEACHER_WIDTH);
  }

  /** Sum over the samples of one pair's loss. */
  private double manifold(double[] own, Manifold weights, long seed) {
    double sum = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
      List<double[]> x = new ArrayList<>();
      List<double[]> y = new ArrayList<>();
      for (int k = 0; k < KEPT; k++) {
        x.add(ours(own, sample, k));
        y.add(theirs(sample, k));
      }
      sum += weights.getPatch() * PlainFeatureLoss.relation(x, y);
    }
    for (int from = 0; from < SAMPLES; from += GROUP) {
      double positions = 0;
      for (int k = 0; k < KEPT; k++) {
        List<double[]> x = new ArrayList<>();
        List<double[]> y = new ArrayList<>();
        for (int sample = from; sample < from + GROUP; sample++) {
          x.add(ours(own, sample, k));
          y.add(theirs(sample, k));
        }
        positions += PlainFeatureLoss.relation(x, y) / KEPT;
      }
      sum += GROUP * weights.getSample() * positions;
      List<double[]> x = new ArrayList<>();
      List<double[]> y = new ArrayList<>();
      int[] drawn =
          PatchSelection.random(
              seed, PLACE.step(), (1 << 30) + PLACE.first() + from, GROUP * KEPT, ROWS);
      for (int id : drawn) {
        x.add(ours(own, from + id / KEPT, id % KEPT));
        y.add(theirs(from + id / KEPT, id % KEPT));
      }
      sum += GROUP * weights.getRandom() * PlainFeatureLoss.relation(x, y);
    }
    return sum;
  }

  private double attention(double[] own, double[] other) {
    double sum = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
      double[] kept = new double[KEPT];
      for (int k = 0; k < KEPT; k++) {
        kept[k] = own[sample * PATCHES + PLACES[sample * KEPT + k]];
      }
      sum += PlainFeatureLoss.divergence(kept, row(other, sample, KEPT));
    }
    return sum;
  }

  private double plain(Objective objective, long seed) {
    double manifold =
        objective.manifoldPairs().count() == 0
            ? 0
            : tokens.stream().mapToDouble(t -> manifold(t, objective.manifold(), seed)).sum() / 2;
    double attention =
        objective.attentionPairs().count() == 0
            ? 0
            : (attention(rows.get(0), theirRows.get(0)) + attention(rows.get(1), theirRows.get(1)))
                / 2;
    return (objective.manifold().getWeight() * manifold
            + objective.attention().getWeight() * attention)
        / PLACE.batch();
  }

  private static NDArray leaf(Scope scope, double[] values, boolean learns, long... shape) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    NDArray array = Tensors.of(scope.manager(), floats, shape);
    return learns ? Tensors.requireGradient(array) : array;
  }

  /** Loss and gradients with respect to the student's tokens and rows, in this order. */
  private void compare(Objective objective, long seed) {
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      List<NDArray> leaves = new ArrayList<>();
      for (double[] each : tokens) {
        leaves.add(leaf(scope, each, true, SAMPLES, PATCHES, WIDTH));
      }
      for (double[] each : rows) {
        leaves.add(leaf(scope, each, true, SAMPLES, PATCHES));
      }
      try (Gradients gradients = new Gradients(leaves)) {
        boolean relates = objective.manifoldPairs().count() > 0;
        boolean looks = objective.attentionPairs().count() > 0;
        Features student =
            new Features(
                relates ? leaves.subList(0, 2) : List.of(),
                looks ? leaves.subList(2, 4) : List.of());
        Features teacher =
            new Features(
                relates
                    ? List.of(leaf(scope, theirTokens, false, SAMPLES, KEPT, TEACHER_WIDTH))
                    : List.of(),
                looks
                    ? theirRows.stream().map(r -> leaf(scope, r, false, SAMPLES, KEPT)).toList()
                    : List.of());
        long[] places = IntStream.of(PLACES).asLongStream().toArray();
        NDArray kept = Tensors.of(scope.manager(), places, SAMPLES, KEPT);

        FeatureLoss.Parts parts =
            new FeatureLoss(objective, seed).of(student, teacher, kept, PLACE);

        double expected = plain(objective, seed);
        assertThat((double) Tensors.floats(parts.total())[0])
            .isCloseTo(expected, within(1e-5 * expected));
        assertThat(parts.sums().features())
            .isCloseTo(expected * PLACE.batch(), within(1e-5 * expected * PLACE.batch()));
        Gradients.backward(parts.total(), Tensors.of(scope.manager(), new float[] {1}));
        List<double[]> inputs = new ArrayList<>(tokens);
        inputs.addAll(rows);
        for (int i = 0; i < inputs.size(); i++) {
          differences(
              "input " + i, inputs.get(i), gradients.of(i), ignored -> plain(objective, seed));
        }
      }
    }
  }

  private static void differences(
      String what, double[] input, NDArray gradient, ToDoubleFunction<double[]> loss) {
    float[] found = Tensors.floats(gradient);
    double h = 1e-5;
    for (int i = 0; i < input.length; i++) {
      double before = input[i];
      input[i] = before + h;
      double above = loss.applyAsDouble(input);
      input[i] = before - h;
      double below = loss.applyAsDouble(input);
      input[i] = before;
      assertThat((double) found[i])
          .as("gradient %d of %s", i, what)
          .isCloseTo((above - below) / (2 * h), within(2e-6));
    }
  }

  @Test
  void of_manifold_isThatOfTheFormulaAndItsGradient() {
    compare(objective(1, 0), 7);
  }

  @Test
  void of_eachPartOfManifoldAlone_isThatOfTheFormulaAndItsGradient() {
    compare(objective(2, 0, 1, 0, 0), 7);
    compare(objective(2, 0, 0, 1, 0), 7);
    compare(objective(2, 0, 0, 0, 1), 8);
  }

  @Test
  void of_attention_isThatOfTheFormulaAndItsGradient() {
    compare(objective(0, 3), 7);
  }

  @Test
  void of_microBatchesOfWholeGroups_addUpToTheBatch() {
    FeatureLoss loss = new FeatureLoss(objective(0.5, 2), 7);
    try (Scope scope = Scope.open()) {
      double whole = total(scope, loss, 0, SAMPLES);
      double halves = total(scope, loss, 0, GROUP) + total(scope, loss, GROUP, SAMPLES);
      assertThat(halves).isCloseTo(whole, within(1e-6 * whole));
    }
  }

  /** What the samples {@code from} to {@code to - 1} add to the loss. */
  private double total(Scope scope, FeatureLoss loss, int from, int to) {
    String part = from + ":" + to;
    Features student =
        new Features(
            tokens.stream()
                .map(t -> leaf(scope, t, false, SAMPLES, PATCHES, WIDTH).get(part))
                .toList(),
            rows.stream().map(r -> leaf(scope, r, false, SAMPLES, PATCHES).get(part)).toList());
    Features teacher =
        new Features(
            List.of(leaf(scope, theirTokens, false, SAMPLES, KEPT, TEACHER_WIDTH).get(part)),
            theirRows.stream().map(r -> leaf(scope, r, false, SAMPLES, KEPT).get(part)).toList());
    long[] places = IntStream.of(PLACES).asLongStream().toArray();
    NDArray kept = Tensors.of(scope.manager(), places, SAMPLES, KEPT).get(part);
    FeatureLoss.Place place =
        new FeatureLoss.Place(PLACE.step(), PLACE.first() + from, to - from, PLACE.batch());
    return Tensors.floats(loss.of(student, teacher, kept, place).total())[0];
  }

  @Test
  void of_bothWithWeights_addUp() {
    compare(objective(0.5, 2), 7);
  }
}
