package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.proto.v1.LossParts;

class LossFunctionTest {

  private static final long SEED = 7;

  @ParameterizedTest
  @ValueSource(strings = {"deit", "deit3", "distilled", "nonsquare", "crossgrid"})
  void apply_goldenCase_givesItsLossAndParts(String name) {
    Golden expected = Golden.open(name + ".expected.safetensors");
    Golden input = Golden.open(name + ".input.safetensors");
    float[] student = expected.floats("student.logits");
    float[] target = target(input, expected, 10);
    LossFunction loss =
        new LossFunction(RunConfig.Kind.SOFT, expected.number("alpha"), expected.number("temp"));

    LossParts parts =
        loss.apply(
            student,
            expected.floats("teacher.logits"),
            target,
            10,
            /* wholeBatch= */ 4,
            new float[student.length]);

    assertThat(parts.getTotal() / 4).isCloseTo(expected.floats("loss")[0], within(1e-5));
    assertThat(parts.getBase() / 4).isCloseTo(expected.floats("loss.ce")[0], within(1e-5));
    assertThat(parts.getDistillation() / 4).isCloseTo(expected.floats("loss.kl")[0], within(1e-5));
  }

  private static float[] target(Golden input, Golden expected, int classes) {
    if (input.has("target")) {
      return input.floats("target");
    }
    long[] labels = input.longs("label");
    double smoothing = expected.number("smoothing");
    float[] target = new float[labels.length * classes];
    Arrays.fill(target, (float) (smoothing / classes));
    for (int i = 0; i < labels.length; i++) {
      target[i * classes + (int) labels[i]] += (float) (1 - smoothing);
    }
    return target;
  }

  @ParameterizedTest
  @CsvSource({"SOFT,0.5,1", "SOFT,0.9,4", "SOFT,0,2", "SOFT,1,0.5", "HARD,0.3,1", "NONE,0.5,1"})
  void apply_randomLogits_gradientIsThatOfCentralDifferences(
      RunConfig.Kind kind, double alpha, double temperature) {
    Random random = new Random(SEED);
    int classes = 7;
    float[] z = gaussians(random, 3 * classes, 3);
    float[] t = gaussians(random, 3 * classes, 3);
    // Rows that do not sum to one: the closed form must not assume it.
    float[] w = new float[3 * classes];
    for (int i = 0; i < w.length; i++) {
      w[i] = random.nextFloat();
    }
    float[] gradient = new float[z.length];
    new LossFunction(kind, alpha, temperature).apply(z, t, w, classes, 12, gradient);

    for (int i = 0; i < z.length; i++) {
      double numeric = difference(kind, alpha, temperature, z, t, w, classes, i) / 12;
      assertThat((double) gradient[i])
          .as("entry %s, seed %s", i, SEED)
          .isCloseTo(numeric, within(2e-7));
    }
  }

  /** Central difference of a second, plain implementation of the loss in double precision. */
  private static double difference(
      RunConfig.Kind kind,
      double alpha,
      double temperature,
      float[] z,
      float[] t,
      float[] w,
      int classes,
      int entry) {
    double step = 1e-5;
    double[] moved = new double[z.length];
    for (int i = 0; i < z.length; i++) {
      moved[i] = z[i];
    }
    moved[entry] = z[entry] + step;
    double above = plainLoss(kind, alpha, temperature, moved, t, w, classes);
    moved[entry] = z[entry] - step;
    return (above - plainLoss(kind, alpha, temperature, moved, t, w, classes)) / (2 * step);
  }

  private static double plainLoss(
      RunConfig.Kind kind,
      double alpha,
      double temperature,
      double[] z,
      float[] t,
      float[] w,
      int classes) {
    double sum = 0;
    for (int row = 0; row < z.length; row += classes) {
      double[] teacher = new double[classes];
      int choice = 0;
      for (int c = 0; c < classes; c++) {
        teacher[c] = t[row + c];
        choice = teacher[c] > teacher[choice] ? c : choice;
      }
      double[] student = Arrays.copyOfRange(z, row, row + classes);
      double[] logQ1 = logSoftmax(student, 1);
      double[] logQ = logSoftmax(student, temperature);
      double[] logP = logSoftmax(teacher, temperature);
      double base = 0;
      double divergence = 0;
      for (int c = 0; c < classes; c++) {
        base -= w[row + c] * logQ1[c];
        divergence += Math.exp(logP[c]) * (logP[c] - logQ[c]);
      }
      sum +=
          switch (kind) {
            case SOFT -> (1 - alpha) * base + alpha * temperature * temperature * divergence;
            case HARD -> (1 - alpha) * base - alpha * logQ1[choice];
            case NONE -> base;
          };
    }
    return sum;
  }

  private static double[] logSoftmax(double[] x, double temperature) {
    double sum = Arrays.stream(x).map(v -> Math.exp(v / temperature)).sum();
    return Arrays.stream(x).map(v -> v / temperature - Math.log(sum)).toArray();
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 1, 4})
  void apply_extremeLogits_staysFinite(double temperature) {
    float[] z = {1e4f, -1e4f, 0, -1e4f, 1e4f, 0};
    float[] t = {-1e4f, 1e4f, 0, 1e4f, -1e4f, 0};
    float[] w = {0, 1, 0, 0, 0, 1};
    float[] gradient = new float[6];

    LossParts parts =
        new LossFunction(RunConfig.Kind.SOFT, 0.5, temperature).apply(z, t, w, 3, 2, gradient);

    // Both distributions are one-hot on different classes, 2e4 apart.
    assertThat(parts.getDistillation()).isCloseTo(2 * 2e4 / temperature, within(1e-6));
    assertThat(parts.getBase()).isCloseTo(2e4 + 1e4, within(1e-6));
    for (float g : gradient) {
      assertThat(g).isFinite();
    }
  }

  @Test
  void apply_notANumber_givesALossThatIsNotFinite() {
    LossParts parts =
        new LossFunction(RunConfig.Kind.SOFT, 0.5, 1)
            .apply(
                new float[] {Float.NaN, 0},
                new float[] {1, 0},
                new float[] {1, 0},
                2,
                1,
                new float[2]);

    assertThat(parts.getTotal()).isNaN();
  }

  @Test
  void apply_partsOfABatch_addUpToTheGradientOfTheWhole() {
    Random random = new Random(SEED);
    float[] z = gaussians(random, 40, 2);
    float[] t = gaussians(random, 40, 2);
    float[] w = gaussians(random, 40, 1);
    LossFunction loss = new LossFunction(RunConfig.Kind.SOFT, 0.5, 2);
    float[] whole = new float[40];
    loss.apply(z, t, w, 10, 4, whole);

    float[] part = new float[30];
    loss.apply(
        Arrays.copyOfRange(z, 10, 40),
        Arrays.copyOfRange(t, 10, 40),
        Arrays.copyOfRange(w, 10, 40),
        10,
        4,
        part);

    assertThat(part).isEqualTo(Arrays.copyOfRange(whole, 10, 40));
  }

  @Test
  void apply_countsAgreementWithTheTargetsStrongestClass() {
    float[] z = {2, 1, 0, /* wrong */ 2, 1, 0};
    float[] t = {2, 1, 0, /* right */ 0, 1, 0};
    float[] w = {0.6f, 0.4f, 0, 0.1f, 0.8f, 0.1f};

    LossParts parts =
        new LossFunction(RunConfig.Kind.HARD, 0.5, 1).apply(z, t, w, 3, 2, new float[6]);

    assertThat(parts.getStudentCorrect()).isEqualTo(1);
    assertThat(parts.getTeacherCorrect()).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource(names = {"SOFT", "HARD"})
  void apply_separateHeads_areTheClassHeadsLossAndTheOthers(RunConfig.Kind kind) {
    Random random = new Random(SEED);
    float[] z = gaussians(random, 40, 2);
    float[] y = gaussians(random, 40, 2);
    float[] t = gaussians(random, 40, 2);
    float[] w = gaussians(random, 40, 1);
    StudentLogits gradient = new StudentLogits(new float[40], new float[40]);

    LossParts both =
        new LossFunction(kind, 0.3, 2).apply(new StudentLogits(z, y), t, w, 10, 4, gradient);

    float[] labels = new float[40];
    LossParts ofClass = new LossFunction(kind, 0, 2).apply(z, t, w, 10, 4, labels);
    float[] taught = new float[40];
    LossParts ofOther = new LossFunction(kind, 1, 2).apply(y, t, w, 10, 4, taught);
    assertThat(both.getBase()).isEqualTo(ofClass.getBase());
    assertThat(both.getDistillation()).isEqualTo(ofOther.getDistillation());
    assertThat(both.getTotal())
        .isCloseTo(0.7 * ofClass.getTotal() + 0.3 * ofOther.getTotal(), within(1e-12));
    float[] second = Objects.requireNonNull(gradient.distillation());
    for (int i = 0; i < 40; i++) {
      assertThat(gradient.main()[i]).isCloseTo(0.7f * labels[i], within(1e-7f));
      assertThat(second[i]).isCloseTo(0.3f * taught[i], within(1e-7f));
    }
  }

  @Test
  void apply_separateHeads_countWhatAnEvaluationReads() {
    float[] z = {2, 1, 0};
    float[] y = {0, 3, 0};
    float[] w = {0, 1, 0};
    StudentLogits gradient = new StudentLogits(new float[3], new float[3]);

    LossParts parts =
        new LossFunction(RunConfig.Kind.SOFT, 0.5, 1)
            .apply(new StudentLogits(z, y), w, w, 3, 1, gradient);

    assertThat(parts.getStudentCorrect()).isEqualTo(1);
  }

  @Test
  void apply_softWithoutTeacher_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new LossFunction(RunConfig.Kind.SOFT, 0.5, 1)
                    .apply(new float[2], null, new float[2], 2, 1, new float[2]))
        .withMessageContaining("teacher");
  }

  private static float[] gaussians(Random random, int count, double scale) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return values;
  }
}
