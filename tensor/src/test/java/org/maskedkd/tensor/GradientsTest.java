package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GradientsTest {
  private Scope scope;
  private GradMode mode;
  private NDArray w;
  private NDArray v;
  private Gradients gradients;

  @BeforeEach
  void open() {
    scope = Scope.open();
    mode = GradMode.on();
    w = Tensors.requireGradient(Tensors.of(scope.manager(), new float[] {2, 3}, 2));
    v = Tensors.requireGradient(Tensors.of(scope.manager(), new float[] {5}, 1));
    gradients = new Gradients(List.of(w, v));
  }

  @AfterEach
  void close() {
    gradients.close();
    mode.close();
    scope.close();
  }

  private NDArray of(float... values) {
    return Tensors.of(scope.manager(), values, values.length);
  }

  @Test
  void backward_severalGraphs_addUpInTheSameMemory() {
    NDArray handle = gradients.of(0);
    assertThat(Tensors.floats(handle)).containsExactly(0, 0);
    Gradients.backward(w.mul(w), of(1, 10));
    Gradients.backward(w.mul(7), of(1, 1));
    Gradients.backward(w.mul(v), of(1, 1));
    // 2w·(1, 10) + 7 + v
    assertThat(Tensors.floats(handle)).containsExactly(4 + 7 + 5, 60 + 7 + 5);
    assertThat(Tensors.floats(gradients.of(1))).containsExactly(5);
    gradients.zero();
    assertThat(Tensors.floats(handle)).containsExactly(0, 0);
    assertThat(Tensors.floats(w.getGradient())).containsExactly(0, 0);
  }

  @Test
  void constructor_leafWithOldGradient_startsFromZero() {
    Gradients.backward(w.mul(7), of(1, 1));
    try (Gradients fresh = new Gradients(List.of(w))) {
      assertThat(Tensors.floats(fresh.of(0))).containsExactly(0, 0);
    }
  }

  @Test
  void constructor_leafWithoutGradient_isRefused() {
    NDArray plain = of(1, 2);
    assertThatThrownBy(() -> new Gradients(List.of(w, plain)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("parameter 1");
  }

  @Test
  void backward_cotangentOfOtherShape_namesBoth() {
    NDArray y = w.mul(2);
    NDArray cotangent = of(1, 2, 3);
    assertThatThrownBy(() -> Gradients.backward(y, cotangent))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("(3)")
        .hasMessageContaining("(2)");
  }

  @Test
  void clip_normAboveTheLimit_scalesAllByOneFactor() {
    Gradients.backward(w.mul(1), of(2, 3));
    Gradients.backward(v.mul(1), of(6));
    // sqrt(4 + 9 + 36) = 7
    assertThat(gradients.clip(3.5)).isCloseTo(7, within(1e-6));
    double factor = 3.5 / (7 + 1e-6);
    Reference.assertClose(
        "w", Tensors.floats(gradients.of(0)), new double[] {2 * factor, 3 * factor}, 1e-7);
    Reference.assertClose("v", Tensors.floats(gradients.of(1)), new double[] {6 * factor}, 1e-7);
  }

  @Test
  void clip_normBelowTheLimit_changesNothing() {
    Gradients.backward(w.mul(1), of(3, 4));
    assertThat(gradients.clip(5.1)).isCloseTo(5, within(1e-6));
    assertThat(Tensors.floats(gradients.of(0))).containsExactly(3, 4);
  }

  @Test
  void finite_infinityAndNan_areSeenAndOverflowOfSquaresIsNot() {
    Gradients.backward(w.mul(1), of(1e30f, 1e30f));
    assertThat(gradients.finite()).isTrue();
    Gradients.backward(v.mul(1), of(Float.NaN));
    assertThat(gradients.finite()).isFalse();
    gradients.zero();
    assertThat(gradients.finite()).as("after zero").isTrue();
    Gradients.backward(v.mul(1), of(Float.NEGATIVE_INFINITY));
    assertThat(gradients.finite()).isFalse();
  }
}
