package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.tensor.AdamW;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

/** Everything of {@code golden/}, case by case, within the tolerances that came with the values. */
final class GoldenTest {

  private static final double OUTPUTS = 1e-5;
  private static final double GRADIENTS = 2e-5;

  static List<String> cases() {
    return List.of("deit", "deit3", "distilled", "nonsquare", "crossgrid");
  }

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void student_wholeImages_givesLogitsAttentionAndChoice(String name) {
    try (GoldenCase c = new GoldenCase(name);
        GradMode off = GradMode.off()) {
      VitOutput out = c.student.forward(c.studentPatches, null, null, AttentionRow.LAST_CLASS);
      assertNear(out.logits(), c.expected("student.logits"));
      if (c.student.config().distilled()) {
        assertNear(out.classLogits(), c.expected("student.logits_cls"));
        assertNear(
            Objects.requireNonNull(out.distillationLogits()), c.expected("student.logits_dist"));
      }
      NDArray attention = Objects.requireNonNull(out.attention());
      assertNear(attention, c.expected("student.cls_attention"));

      VitConfig config = c.student.config();
      float[][] saliency =
          Saliency.of(
              Tensors.floats(attention),
              GoldenCase.BATCH,
              config.heads(),
              config.attentionPrefix());
      assertThat(Golden.off(joined(saliency), c.expected("saliency"))).isLessThan(OUTPUTS);
      float[][] scores = c.onTeacherGrid(saliency);
      if (name.equals("crossgrid")) {
        assertThat(Golden.off(joined(scores), c.expected("saliency.teacher_grid")))
            .isLessThan(OUTPUTS);
      }
      assertThat(ids(scores, s -> PatchSelection.topK(s, c.k)))
          .isEqualTo(Golden.longs(name + ".expected", "topk"));
      assertThat(ids(scores, s -> PatchSelection.topKByScore(s, c.k)))
          .isEqualTo(Golden.longs(name + ".expected", "topk.by_score"));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void teacher_fullAndMasked_givesLogits(String name) {
    try (GoldenCase c = new GoldenCase(name)) {
      assertNear(c.teacher.forward(c.teacherPatches).logits(), c.expected("teacher.logits_full"));
      NDArray kept = c.chosen();
      NDArray patches = Ops.gatherTokens(c.teacherPatches, kept);
      assertNear(c.teacher.forward(patches, kept).logits(), c.expected("teacher.logits"));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void teacher_bfloat16_givesLogitsWithinItsRounding(String name) {
    try (GoldenCase c = new GoldenCase(name);
        VisionTransformer teacher = c.teacher(Precision.BF16)) {
      NDArray kept = c.chosen();
      NDArray logits = teacher.forward(Ops.gatherTokens(c.teacherPatches, kept), kept).logits();
      double off = Golden.off(Tensors.floats(logits), c.expected("teacher.logits"));
      // The lower bound shows that bfloat16 was at work at all.
      assertThat(off).isBetween(1e-4, 5e-2);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void loss_ownLogits_matches(String name) {
    try (GoldenCase c = new GoldenCase(name);
        GradMode off = GradMode.off()) {
      NDArray kept = c.chosen();
      DistillationLoss loss =
          c.loss(
              Tensors.floats(c.student.forward(c.studentPatches).logits()),
              Tensors.floats(
                  c.teacher.forward(Ops.gatherTokens(c.teacherPatches, kept), kept).logits()),
              0,
              GoldenCase.BATCH);
      assertNear(loss.ce(), c.expected("loss.ce"));
      assertNear(loss.kl(), c.expected("loss.kl"));
      assertNear(loss.loss(), c.expected("loss"));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void backward_wholeBatchAndUnevenMicroBatches_givesEveryGradient(String name) {
    try (GoldenCase c = new GoldenCase(name);
        GradMode on = GradMode.on();
        Gradients gradients = new Gradients(c.parameters())) {
      for (int[] sizes : new int[][] {{4}, {1, 3}, {2, 1, 1}}) {
        gradients.zero();
        c.backward(sizes);
        for (int i = 0; i < c.parameters().size(); i++) {
          String parameter = c.parameterNames().get(i);
          float[] expected = Golden.floats(name + ".grads", parameter);
          assertThat(Golden.off(Tensors.floats(gradients.of(i)), expected))
              .as("%s in micro-batches %s", parameter, Arrays.toString(sizes))
              .isLessThan(GRADIENTS);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void adamw_storedGradients_movesEveryParameter(String name) {
    try (GoldenCase c = new GoldenCase(name);
        Gradients gradients = new Gradients(c.parameters());
        AdamW adamw = adamw(c)) {
      for (int i = 0; i < c.parameters().size(); i++) {
        float[] stored = Golden.floats(name + ".grads", c.parameterNames().get(i));
        long[] shape = c.parameters().get(i).getShape().getShape();
        Tensors.copyInto(gradients.of(i), Tensors.of(c.scope.manager(), stored, shape));
      }
      adamw.step(gradients, c.real("lr"));
      for (int i = 0; i < c.parameters().size(); i++) {
        float[] expected = Golden.floats(name + ".adamw", c.parameterNames().get(i));
        float[] actual = Tensors.floats(c.parameters().get(i));
        assertThat(Golden.largestDifference(actual, expected))
            .as(c.parameterNames().get(i))
            .isLessThan(5e-7);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void adamw_ownGradients_movesEveryParameter(String name) {
    try (GoldenCase c = new GoldenCase(name);
        GradMode on = GradMode.on();
        Gradients gradients = new Gradients(c.parameters());
        AdamW adamw = adamw(c)) {
      c.backward(3, 1);
      adamw.step(gradients, c.real("lr"));
      for (int i = 0; i < c.parameters().size(); i++) {
        String parameter = c.parameterNames().get(i);
        float[] stored = Golden.floats(name + ".grads", parameter);
        float[] expected = Golden.floats(name + ".adamw", parameter);
        float[] actual = Tensors.floats(c.parameters().get(i));
        double largest = 0;
        double largestOfTiny = 0;
        for (int j = 0; j < actual.length; j++) {
          double difference = Math.abs((double) actual[j] - expected[j]);
          if (Math.abs(stored[j]) >= 1e-6) {
            largest = Math.max(largest, difference);
          } else {
            largestOfTiny = Math.max(largestOfTiny, difference);
          }
        }
        assertThat(largest).as(parameter).isLessThan(2e-6);
        assertThat(largestOfTiny).as(parameter).isLessThan(2e-3);
      }
    }
  }

  private static AdamW adamw(GoldenCase c) {
    return new AdamW(
        List.of(new AdamW.Group(c.parameters(), c.real("weight_decay"))),
        c.real("beta1"),
        c.real("beta2"),
        c.real("adam_eps"));
  }

  private static void assertNear(NDArray actual, float[] expected) {
    assertThat(Golden.off(Tensors.floats(actual), expected)).isLessThan(OUTPUTS);
  }

  private static void assertNear(double actual, float[] expected) {
    assertThat(Math.abs(actual - expected[0]) / Math.abs(expected[0])).isLessThan(OUTPUTS);
  }

  private static float[] joined(float[][] rows) {
    float[] all = new float[rows.length * rows[0].length];
    IntStream.range(0, rows.length)
        .forEach(i -> System.arraycopy(rows[i], 0, all, i * rows[0].length, rows[0].length));
    return all;
  }

  private static long[] ids(float[][] scores, Function<float[], int[]> selection) {
    return Arrays.stream(scores)
        .flatMapToInt(s -> Arrays.stream(selection.apply(s)))
        .asLongStream()
        .toArray();
  }
}
