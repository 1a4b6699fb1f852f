package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MergeOpsTest {
  private static final long SEED = 20240611;

  /** Keys that all are the same. */
  private static NDArray equalKeys(Scope scope, int tokens) {
    float[] qkv = new float[tokens * 3 * 4];
    for (int t = 0; t < tokens; t++) {
      qkv[t * 12 + 4] = 1;
      qkv[t * 12 + 6] = 1;
    }
    return Tensors.of(scope.manager(), qkv, 1, tokens, 12);
  }

  @Test
  void merging_equalTokens_takesTheFirstOnesAndLeavesThePrefix() {
    try (Scope scope = Scope.open()) {
      // Left at even places, then at odd ones; 2 and 4 go to what is third then, token 1.
      assertThat(Tensors.longs(MergeOps.merging(equalKeys(scope, 7), 2, 1, 2)))
          .containsExactly(0, 6, 1, 3, 5, 2, 4, 2, 2);
      // With a distillation token nothing goes to token 1.
      assertThat(Tensors.longs(MergeOps.merging(equalKeys(scope, 8), 2, 2, 2)))
          .containsExactly(0, 1, 6, 3, 5, 7, 2, 4, 3, 3);
      assertThatThrownBy(() -> MergeOps.merging(equalKeys(scope, 8), 2, 2, 4))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("4 of 8")
          .hasMessageContaining("1 to 3");
    }
  }

  @Test
  void mergedTokens_repeatedly_keepSumsAndSizesOfEachImage() {
    int n = 11;
    SplittableRandom random = new SplittableRandom(SEED);
    try (Scope scope = Scope.open()) {
      float[] ones = new float[2 * n];
      Arrays.fill(ones, 1);
      NDArray sizes = Tensors.of(scope.manager(), ones, 2, n, 1);
      NDArray x = Tensors.of(scope.manager(), Reference.normal(random, 2, n, 3), 2, n, 3);
      float[] before = Tensors.floats(x.sum(new int[] {1}));
      for (int left = n; left > 5; left -= 2) {
        long[] shape = {2, left, 12};
        NDArray qkv = Tensors.of(scope.manager(), Reference.normal(random, shape), shape);
        NDArray merging = MergeOps.merging(qkv, 2, 1, 2);
        x = MergeOps.mergedTokens(x, sizes, merging, 2);
        sizes = MergeOps.mergedSums(sizes, merging, 2);
        assertThat(x.getShape().getShape()).containsExactly(2, left - 2, 3);
        assertThat(Tensors.floats(sizes.sum(new int[] {1}))).containsExactly(n, n);
        double[] expected = new double[before.length];
        Arrays.setAll(expected, i -> before[i]);
        Reference.assertClose(
            "sums", Tensors.floats(x.mul(sizes).sum(new int[] {1})), expected, 1e-6);
      }
    }
  }
}
