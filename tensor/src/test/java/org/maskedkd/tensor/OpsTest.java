package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class OpsTest {
  private static final long SEED = 20240611;

  private static long[] shape(long... sizes) {
    return sizes;
  }

  @Test
  void linear_withBias_equalsPlainForm() {
    Reference.assertSame(
        in -> Ops.linear(in.get(0), in.get(1), in.get(2)),
        in -> Reference.linear(in[0], in[1], in[2]),
        SEED,
        shape(2, 3, 5),
        shape(7, 5),
        shape(7));
  }

  @Test
  void linear_withoutBias_equalsPlainForm() {
    Reference.assertSame(
        in -> Ops.linear(in.get(0), in.get(1), null),
        in -> Reference.linear(in[0], in[1], new double[4]),
        SEED,
        shape(6, 5),
        shape(4, 5));
  }

  @Test
  void layerNorm_smallVariance_equalsPlainForm() {
    Reference.assertSame(
        in -> Ops.layerNorm(in.get(0), in.get(1), in.get(2), 0.5),
        in -> Reference.layerNorm(in[0], in[1], in[2], 0.5),
        SEED,
        shape(2, 3, 8),
        shape(8),
        shape(8));
  }

  @Test
  void gelu_normalInput_equalsPlainForm() {
    Reference.assertSame(in -> Ops.gelu(in.get(0)), in -> Reference.gelu(in[0]), SEED, shape(50));
  }

  @Test
  void attention_separateInputs_equalsPlainForm() {
    Reference.assertSame(
        in -> Ops.attention(in.get(0), in.get(1), in.get(2)),
        in -> Reference.attention(in[0], in[1], in[2], 5, 4),
        SEED,
        shape(2, 3, 5, 4),
        shape(2, 3, 5, 4),
        shape(2, 3, 5, 4));
  }

  @ParameterizedTest
  @EnumSource
  void selfAttention_jointProjection_equalsPlainForm(AttentionKernel kernel) {
    Reference.assertSame(
        in -> Ops.selfAttention(in.get(0), 2, kernel),
        in ->
            Reference.merge(
                Reference.attention(
                    Reference.part(in[0], 0, 2, 5, 2, 3),
                    Reference.part(in[0], 1, 2, 5, 2, 3),
                    Reference.part(in[0], 2, 2, 5, 2, 3),
                    5,
                    3),
                2,
                5,
                2,
                3),
        SEED,
        shape(2, 5, 18));
  }

  @Test
  void classAttention_jointProjection_equalsPlainFormAndRecordsNothing() {
    int n = 6;
    int heads = 2;
    int d = 4;
    float[] drawn = Reference.normal(new SplittableRandom(SEED), 2, n, 3L * heads * d);
    double[] q = Reference.part(Reference.widen(drawn), 0, 2, n, heads, d);
    double[] k = Reference.part(Reference.widen(drawn), 1, 2, n, heads, d);
    double[] expected = new double[2 * heads * n];
    for (int g = 0; g < 2 * heads; g++) {
      double[] row = Reference.attentionRow(q, g * n * d, k, g * n * d, n, d);
      System.arraycopy(row, 0, expected, g * n, n);
    }
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      NDArray qkv =
          Tensors.requireGradient(Tensors.of(scope.manager(), drawn, 2, n, 3L * heads * d));
      NDArray found = Ops.classAttention(qkv, heads);
      assertThat(found.getShape().getShape()).containsExactly(2, heads, n);
      Reference.assertClose("class attention", Tensors.floats(found), expected, 2e-6);
      assertThat(Tensors.isRecorded(found)).isFalse();
      assertThat(Tensors.isRecorded(Ops.gelu(qkv))).isTrue();
    }
  }

  @Test
  void selfAttention_headsThatDoNotDivide_namesBoth() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> Ops.selfAttention(Tensors.zeros(scope.manager(), 1, 2, 12), 3))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("(1, 2, 12)")
          .hasMessageContaining("3 heads");
    }
  }

  @Test
  void residual_everyCombinationOfScales_equalsPlainForm() {
    double[] sample = {0, 1.25};
    for (boolean layerScaled : new boolean[] {false, true}) {
      for (boolean sampleScaled : new boolean[] {false, true}) {
        Reference.assertSame(
            in ->
                Ops.residual(
                    in.get(0),
                    in.get(1),
                    layerScaled ? in.get(2) : null,
                    sampleScaled
                        ? Tensors.of(in.get(0).getManager(), new float[] {0, 1.25f}, 2, 1, 1)
                        : null),
            in -> {
              double[] y = new double[in[0].length];
              for (int i = 0; i < y.length; i++) {
                y[i] =
                    in[0][i]
                        + in[1][i]
                            * (layerScaled ? in[2][i % 4] : 1)
                            * (sampleScaled ? sample[i / 12] : 1);
              }
              return y;
            },
            SEED,
            shape(2, 3, 4),
            shape(2, 3, 4),
            shape(4));
      }
    }
  }

  @Test
  void gatherTokens_perSample_picksRowsAndReturnsTheirGradients() {
    long[] rows = {3, 0, 2, 2};
    Reference.assertSame(
        in -> Ops.gatherTokens(in.get(0), Tensors.of(in.get(0).getManager(), rows, 2, 2)),
        in -> pick(in[0], rows, /* tokens= */ 4, /* width= */ 3),
        SEED,
        shape(2, 4, 3));
  }

  @Test
  void gatherTokens_sharedTokens_areBroadcastOverTheBatch() {
    long[] rows = {3, 0, 2, 3};
    Reference.assertSame(
        in -> Ops.gatherTokens(in.get(0), Tensors.of(in.get(0).getManager(), rows, 2, 2)),
        in -> pick(in[0], rows, /* tokens= */ 0, /* width= */ 3),
        SEED,
        shape(1, 4, 3));
  }

  private static double[] pick(double[] x, long[] rows, int tokens, int width) {
    double[] y = new double[rows.length * width];
    for (int i = 0; i < y.length; i++) {
      int pick = i / width;
      y[i] = x[(pick / 2 * tokens + (int) rows[pick]) * width + i % width];
    }
    return y;
  }

  @Test
  void gatherTokens_indexOfTheNextSample_isRefused() {
    try (Scope scope = Scope.open()) {
      NDArray x = Tensors.zeros(scope.manager(), 2, 4, 3);
      NDArray indices = Tensors.of(scope.manager(), new long[] {0, 1, 2, 4}, 2, 2);
      assertThatThrownBy(() -> Ops.gatherTokens(x, indices))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("index 1 of sample 1 is 4, outside 0 to 3");
    }
  }

  @Test
  void withPrefix_twoTokens_standBeforeEverySample() {
    Reference.assertSame(
        in -> Ops.withPrefix(List.of(in.get(1), in.get(2)), in.get(0)),
        in -> {
          double[] y = new double[2 * 5 * 2];
          for (int sample = 0; sample < 2; sample++) {
            System.arraycopy(in[1], 0, y, sample * 10, 2);
            System.arraycopy(in[2], 0, y, sample * 10 + 2, 2);
            System.arraycopy(in[0], sample * 6, y, sample * 10 + 4, 6);
          }
          return y;
        },
        SEED,
        shape(2, 3, 2),
        shape(1, 1, 2),
        shape(1, 1, 2));
  }

  @Test
  void token_second_isThatRowOfEverySample() {
    Reference.assertSame(
        in -> Ops.token(in.get(0), 1),
        in -> new double[] {in[0][2], in[0][3], in[0][8], in[0][9]},
        SEED,
        shape(2, 3, 2));
  }

  @Test
  void everyOperator_hundredthCall_givesTheBitsOfTheFirst() {
    float[] drawn = Reference.normal(new SplittableRandom(SEED), 2, 7, 36);
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      NDArray x = Tensors.requireGradient(Tensors.of(scope.manager(), drawn, 2, 7, 36));
      NDArray scale = Tensors.of(scope.manager(), Arrays.copyOf(drawn, 36), 36);
      Gradients gradients = new Gradients(List.of(x));
      byte[] first = chain(x, scale, gradients);
      for (int i = 0; i < 100; i++) {
        assertThat(chain(x, scale, gradients)).isEqualTo(first);
      }
      gradients.close();
    }
  }

  @Test
  void everyOperator_threadsAtOnce_giveTheBitsOfOneThread() throws Exception {
    float[] drawn = Reference.normal(new SplittableRandom(SEED), 2, 7, 36);
    Callable<List<byte[]>> task =
        () -> {
          Torch.useThreads(1);
          try (Scope scope = Scope.open();
              GradMode on = GradMode.on()) {
            NDArray x = Tensors.requireGradient(Tensors.of(scope.manager(), drawn, 2, 7, 36));
            NDArray scale = Tensors.of(scope.manager(), Arrays.copyOf(drawn, 36), 36);
            try (Gradients gradients = new Gradients(List.of(x))) {
              return Stream.generate(() -> chain(x, scale, gradients)).limit(50).toList();
            }
          }
        };
    byte[] expected = task.call().get(0);
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      for (Future<List<byte[]>> found : threads.invokeAll(Collections.nCopies(3, task))) {
        assertThat(found.get()).allSatisfy(bytes -> assertThat(bytes).isEqualTo(expected));
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void linear_weightThatDoesNotFit_namesBothShapes() {
    try (Scope scope = Scope.open()) {
      NDArray x = Tensors.zeros(scope.manager(), 6, 5);
      NDArray weight = Tensors.zeros(scope.manager(), 4, 3);
      assertThatThrownBy(() -> Ops.linear(x, weight, null))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("6x5 and 3x4");
    }
  }

  private static byte[] chain(NDArray x, NDArray scale, Gradients gradients) {
    try (Scope scope = Scope.open()) {
      gradients.zero();
      NDArray y = Ops.gelu(Ops.layerNorm(x, scale, scale, 1e-6));
      NDArray z = Ops.selfAttention(Ops.residual(x, y, scale, null), 3);
      Gradients.backward(z, z.stopGradient());
      byte[] bytes = new byte[(int) x.size() * 4];
      Tensors.bytes(gradients.of(0)).get(bytes);
      return bytes;
    }
  }
}
