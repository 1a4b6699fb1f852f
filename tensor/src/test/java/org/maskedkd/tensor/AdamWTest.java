package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AdamWTest {
  private static final double LR = 1e-3;
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPS = 1e-8;
  private static final double DECAY = 0.05;

  private final NDManager manager = Torch.manager().newSubManager();
  private final SplittableRandom random = new SplittableRandom(11);

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray parameter(long... shape) {
    return Tensors.requireGradient(Tensors.of(manager, Reference.normal(random, shape), shape));
  }

  private static AdamW optimizer(NDArray decayed, NDArray plain) {
    return new AdamW(
        List.of(new AdamW.Group(List.of(decayed), DECAY), new AdamW.Group(List.of(plain), 0)),
        BETA1,
        BETA2,
        EPS);
  }

  /** The algorithm in double precision, one entry at a time. */
  private static final class Plain {
    final double[] p;
    final double[] m;
    final double[] v;
    final double decay;
    int t;

    Plain(NDArray start, double decay) {
      p = Reference.widen(Tensors.floats(start));
      m = new double[p.length];
      v = new double[p.length];
      this.decay = decay;
    }

    void step(float[] g) {
      t++;
      for (int i = 0; i < p.length; i++) {
        p[i] *= 1 - LR * decay;
        m[i] = BETA1 * m[i] + (1 - BETA1) * g[i];
        v[i] = BETA2 * v[i] + (1 - BETA2) * g[i] * g[i];
        double mHat = m[i] / (1 - Math.pow(BETA1, t));
        double vHat = v[i] / (1 - Math.pow(BETA2, t));
        p[i] -= LR * mHat / (Math.sqrt(vHat) + EPS);
      }
    }
  }

  private void give(Gradients gradients, List<NDArray> parameters, float[]... values) {
    gradients.zero();
    try (Scope scope = Scope.open();
        GradMode on = GradMode.on()) {
      for (int i = 0; i < values.length; i++) {
        NDArray y = parameters.get(i).mul(1);
        long[] shape = y.getShape().getShape();
        Gradients.backward(y, Tensors.of(scope.manager(), values[i], shape));
      }
    }
  }

  @Test
  void step_twentyTimesWithTwoGroups_followsThePlainAlgorithm() {
    NDArray decayed = parameter(9, 7);
    NDArray plain = parameter(13);
    Plain first = new Plain(decayed, DECAY);
    Plain second = new Plain(plain, 0);
    // The order of the gradients is not that of the groups.
    List<NDArray> order = List.of(plain, decayed);
    try (Gradients gradients = new Gradients(order);
        AdamW adamW = optimizer(decayed, plain)) {
      for (int step = 1; step <= 20; step++) {
        float[] a = Reference.normal(random, 9, 7);
        float[] b = Reference.normal(random, 13);
        give(gradients, order, b, a);
        adamW.step(gradients, LR);
        first.step(a);
        second.step(b);
        Reference.assertClose("decayed " + step, Tensors.floats(decayed), first.p, 5e-7);
        Reference.assertClose("plain " + step, Tensors.floats(plain), second.p, 5e-7);
      }
      assertThat(adamW.steps()).isEqualTo(20);
      Reference.assertClose("m", Tensors.floats(adamW.firstMoments().get(0)), first.m, 1e-6);
      Reference.assertClose("v", Tensors.floats(adamW.secondMoments().get(1)), second.v, 1e-6);
    }
  }

  @Test
  void step_first_isTheClosedForm() {
    NDArray decayed = parameter(40);
    NDArray plain = parameter(1);
    double[] start = Reference.widen(Tensors.floats(decayed));
    float[] g = Reference.normal(random, 40);
    List<NDArray> order = List.of(decayed, plain);
    try (Gradients gradients = new Gradients(order);
        AdamW adamW = optimizer(decayed, plain)) {
      give(gradients, order, g, new float[1]);
      adamW.step(gradients, LR);
    }
    for (int i = 0; i < start.length; i++) {
      start[i] = start[i] * (1 - LR * DECAY) - LR * g[i] / (Math.abs(g[i]) + EPS);
    }
    Reference.assertClose("after one step", Tensors.floats(decayed), start, 2e-7);
  }

  @Test
  void restore_stateOfAnother_continuesWithTheSameBits() {
    NDArray a = parameter(5, 3);
    NDArray b = parameter(4);
    float[] g = Reference.normal(random, 5, 3);
    float[] h = Reference.normal(random, 4);
    List<NDArray> order = List.of(a, b);
    try (Gradients gradients = new Gradients(order);
        AdamW adamW = optimizer(a, b);
        AdamW resumed = optimizer(a, b)) {
      give(gradients, order, g, h);
      for (int i = 0; i < 3; i++) {
        adamW.step(gradients, LR);
      }
      float[] savedA = Tensors.floats(a);
      float[] savedB = Tensors.floats(b);
      resumed.restore(adamW.firstMoments(), adamW.secondMoments(), adamW.steps());
      adamW.step(gradients, LR);
      float[] expectedA = Tensors.floats(a);
      float[] expectedB = Tensors.floats(b);
      Tensors.copyInto(a, Tensors.of(manager, savedA, 5, 3));
      Tensors.copyInto(b, Tensors.of(manager, savedB, 4));
      resumed.step(gradients, LR);
      assertThat(Tensors.floats(a)).isEqualTo(expectedA);
      assertThat(Tensors.floats(b)).isEqualTo(expectedB);
      assertThat(resumed.steps()).isEqualTo(4);
    }
  }

  @Test
  void constructor_parameterInTwoGroups_isRefused() {
    NDArray a = parameter(2);
    assertThatThrownBy(() -> optimizer(a, a))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("two places");
  }

  @Test
  void step_gradientsWithoutAParameter_isRefused() {
    NDArray a = parameter(2);
    NDArray b = parameter(3);
    try (Gradients gradients = new Gradients(List.of(a));
        AdamW adamW = optimizer(a, b)) {
      assertThatThrownBy(() -> adamW.step(gradients, LR))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("(3)");
    }
  }

  @Test
  void ema_threeUpdates_followTheRecurrence() {
    NDArray a = parameter(6);
    double[] average = Reference.widen(Tensors.floats(a));
    try (Ema ema = new Ema(List.of(a), 0.9)) {
      for (int i = 0; i < 3; i++) {
        float[] next = Reference.normal(random, 6);
        Tensors.copyInto(a, Tensors.of(manager, next, 6));
        ema.update();
        for (int j = 0; j < 6; j++) {
          average[j] = 0.9 * average[j] + 0.1 * next[j];
        }
      }
      Reference.assertClose("average", Tensors.floats(ema.averages().get(0)), average, 3e-7);
    }
  }
}
