package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class BlockPairsTest {

  @Test
  void ends_caitToDeit_arePublishedOnes() {
    BlockPairs pairs = BlockPairs.ends(12, 24);
    assertThat(pairs.student()).containsExactly(0, 1, 2, 3, 8, 9, 10, 11);
    assertThat(pairs.teacher()).containsExactly(0, 1, 2, 3, 20, 21, 22, 23);
  }

  @Test
  void ends_shallowModels_haveEachBlockOnce() {
    assertThat(BlockPairs.ends(4, 5))
        .isEqualTo(new BlockPairs(List.of(0, 1, 2, 3), List.of(0, 1, 3, 4)));
    assertThat(BlockPairs.ends(3, 8)).isEqualTo(new BlockPairs(List.of(0, 2), List.of(0, 7)));
    assertThat(BlockPairs.ends(1, 8)).isEqualTo(new BlockPairs(List.of(0), List.of(7)));
  }

  @Test
  void all_otherDepth_pairsEqualSharesOfTheDepth() {
    assertThat(BlockPairs.all(3, 3).teacher()).containsExactly(0, 1, 2);
    assertThat(BlockPairs.all(3, 6).teacher()).containsExactly(1, 3, 5);
    assertThat(BlockPairs.all(4, 2))
        .isEqualTo(new BlockPairs(List.of(0, 1, 2, 3), List.of(0, 0, 1, 1)));
    assertThat(BlockPairs.all(4, 2).ofTeacher()).containsExactly(0, 1);
  }

  @Test
  void of_noSuchBlockOrUnequalLists_areRefused() {
    assertThat(BlockPairs.of("m", List.of(2, 0), List.of(1, 0), 3, 2).ofStudent())
        .containsExactly(0, 2);
    assertThatThrownBy(() -> BlockPairs.of("m", List.of(0), List.of(), 3, 2))
        .hasMessageContaining("m.student-blocks [0]")
        .hasMessageContaining("as many of both");
    assertThatThrownBy(() -> BlockPairs.of("m", List.of(3), List.of(0), 3, 2))
        .hasMessageContaining("m.student-blocks is [3], expected blocks of 0 to 2");
    assertThatThrownBy(() -> BlockPairs.of("m", List.of(0), List.of(2), 3, 2))
        .hasMessageContaining("m.teacher-blocks is [2], expected blocks of 0 to 1");
  }
}
