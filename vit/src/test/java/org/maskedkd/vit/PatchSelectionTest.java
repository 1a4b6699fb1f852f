package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PatchSelectionTest {

  @Test
  void topK_ties_prefersTheLowerIndex() {
    float[] scores = {1, 3, 2, 3, 2, 0};
    assertThat(PatchSelection.topKByScore(scores, 3)).containsExactly(1, 3, 2);
    assertThat(PatchSelection.topK(scores, 3)).containsExactly(1, 2, 3);
    assertThat(PatchSelection.topK(new float[] {-0f, 0f, 0f}, 2)).containsExactly(0, 1);
  }

  @Test
  void topK_random_agreesWithRepeatedMaximum() {
    long seed = 20261123;
    SplittableRandom random = new SplittableRandom(seed);
    for (int trial = 0; trial < 200; trial++) {
      int n = random.nextInt(1, 40);
      int k = random.nextInt(1, n + 1);
      float[] scores = new float[n];
      for (int i = 0; i < n; i++) {
        scores[i] = random.nextInt(8) / 8f;
      }
      assertThat(PatchSelection.topKByScore(scores, k))
          .as("seed %d trial %d", seed, trial)
          .containsExactly(repeatedMaximum(scores.clone(), k));
    }
  }

  private static int[] repeatedMaximum(float[] scores, int k) {
    int[] ids = new int[k];
    for (int i = 0; i < k; i++) {
      int best = 0;
      for (int j = 1; j < scores.length; j++) {
        if (scores[j] > scores[best]) {
          best = j;
        }
      }
      ids[i] = best;
      scores[best] = -1;
    }
    return ids;
  }

  @Test
  void topK_nan_isRefused() {
    assertThatThrownBy(() -> PatchSelection.topK(new float[] {1, Float.NaN}, 1))
        .isInstanceOf(NotFiniteException.class)
        .hasMessageContaining("patch 1 of 2 is NaN");
  }

  @Test
  void topK_countOutsideTheGrid_isRefused() {
    assertThatThrownBy(() -> PatchSelection.topK(new float[3], 4)).hasMessageContaining("4");
    assertThatThrownBy(() -> PatchSelection.topK(new float[3], 0)).hasMessageContaining("0");
  }

  @ParameterizedTest
  @CsvSource({
    "0.5, 196, 98",
    "0.75, 196, 147",
    "0.25, 196, 49",
    "0.5, 15, 8",
    "0.5, 64, 32",
    "1, 7, 7",
    "0.001, 64, 1"
  })
  void keepCount_ratio_roundsHalfUpAndKeepsAtLeastOne(double ratio, int patches, int kept) {
    assertThat(PatchSelection.keepCount(ratio, patches)).isEqualTo(kept);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.5, 1.5, Double.NaN})
  void keepCount_outsideTheUnitInterval_namesTheValue(double ratio) {
    assertThatThrownBy(() -> PatchSelection.keepCount(ratio, 196))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(String.valueOf(ratio));
  }

  @Test
  void random_manyPositions_keepsEveryPatchEquallyOften() {
    int n = 16;
    int k = 4;
    int trials = 4000;
    int[] counts = new int[n];
    for (int position = 0; position < trials; position++) {
      int[] ids = PatchSelection.random(7, 3, position, n, k);
      assertThat(ids).hasSize(k).isSorted().doesNotHaveDuplicates();
      for (int id : ids) {
        counts[id]++;
      }
    }
    // Binomial with p = 1/4: mean 1000, deviation 27; five of them.
    for (int count : counts) {
      assertThat(count).isBetween(863, 1137);
    }
  }

  @Test
  void random_sameKeys_giveTheSameChoice() {
    assertThat(PatchSelection.random(7, 3, 11, 196, 98))
        .isEqualTo(PatchSelection.random(7, 3, 11, 196, 98))
        .isNotEqualTo(PatchSelection.random(7, 4, 11, 196, 98))
        .isNotEqualTo(PatchSelection.random(8, 3, 11, 196, 98))
        .isNotEqualTo(PatchSelection.random(7, 3, 12, 196, 98));
  }

  @Test
  void bottomK_scores_areTheLowestTiesToTheLowerIndex() {
    float[] scores = {3, 1, 2, 1, 5, -1};
    assertThat(PatchSelection.bottomK(scores, 2)).containsExactly(1, 5);
    assertThat(PatchSelection.bottomK(scores, 3)).containsExactly(1, 3, 5);
    assertThat(PatchSelection.bottomK(scores, 6)).containsExactly(0, 1, 2, 3, 4, 5);
  }

  @Test
  void withRandom_anyStep_keepsTheChosenAndDrawsTheOthersEvenly() {
    int[] chosen = {0, 7};
    int[] counts = new int[10];
    for (int step = 0; step < 4000; step++) {
      int[] all = PatchSelection.withRandom(chosen, 3, 9, step, 1, 10);
      assertThat(all).hasSize(5).isSorted().doesNotHaveDuplicates().contains(0, 7);
      for (int id : all) {
        counts[id]++;
      }
    }
    // 3 of 8 others: 1500 of 4000 each, deviation 31; five of them.
    for (int id : new int[] {1, 2, 3, 4, 5, 6, 8, 9}) {
      assertThat(counts[id]).isBetween(1345, 1655);
    }
    assertThat(PatchSelection.withRandom(chosen, 0, 9, 1, 1, 10)).containsExactly(chosen);
    assertThat(PatchSelection.withRandom(chosen, 3, 9, 5, 1, 10))
        .isEqualTo(PatchSelection.withRandom(chosen, 3, 9, 5, 1, 10));
  }
}
