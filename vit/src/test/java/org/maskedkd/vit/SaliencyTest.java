package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SaliencyTest {

  @Test
  void ofClassAttention_twoHeads_isTheirMeanWithoutPrefix() {
    float[] attention = {.5f, .25f, .25f, .1f, .3f, .6f};
    assertThat(Saliency.of(attention, 2, 1)).containsExactly(.275f, .425f);
    assertThat(Saliency.of(attention, 2, 2)).containsExactly(.425f);
  }

  @Test
  void ofClassAttention_wrongSize_isRefused() {
    assertThatThrownBy(() -> Saliency.of(new float[7], 1, 2, 1))
        .hasMessageContaining("7 attention weights");
  }

  @ParameterizedTest
  @CsvSource({"16, 16", "24, 24", "10, 12"})
  void toGrid_golden_isNearTheExactScores(int rows, int columns) {
    float[] scores = Golden.floats("interpolate", "scores_14x14");
    float[] expected = Golden.floats("interpolate", "scores_%dx%d".formatted(rows, columns));
    int cells = rows * columns;
    float[] actual = new float[2 * cells];
    for (int row = 0; row < 2; row++) {
      float[] one = Arrays.copyOfRange(scores, row * 196, (row + 1) * 196);
      System.arraycopy(Saliency.toGrid(one, 14, 14, rows, columns), 0, actual, row * cells, cells);
    }
    assertThat(Golden.off(actual, expected)).isLessThan(2e-5);
  }

  @ParameterizedTest
  @CsvSource({"16, 128", "24, 288"})
  void topK_goldenInterpolated_isEqual(int side, int k) {
    float[] scores = Golden.floats("interpolate", "scores_14x14");
    long[] expected = Golden.longs("interpolate", "topk_%dx%d".formatted(side, side));
    for (int row = 0; row < 2; row++) {
      float[] one = Arrays.copyOfRange(scores, row * 196, (row + 1) * 196);
      int[] ids = PatchSelection.topK(Saliency.toGrid(one, 14, 14, side, side), k);
      assertThat(Arrays.stream(ids).asLongStream().toArray())
          .isEqualTo(Arrays.copyOfRange(expected, row * k, (row + 1) * k));
    }
  }

  @Test
  void toGrid_sameGrid_changesNothing() {
    float[] scores = {1, 2, 3, 4, 5, 6};
    assertThat(Saliency.toGrid(scores, 2, 3, 2, 3)).containsExactly(1, 2, 3, 4, 5, 6);
    assertThatThrownBy(() -> Saliency.toGrid(scores, 3, 3, 2, 3)).hasMessageContaining("6 scores");
  }
}
