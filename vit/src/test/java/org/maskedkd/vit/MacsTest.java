package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MacsTest {

  // G-MACs of the paper's appendix I, printed with two decimals: half a unit of the last is up to
  // 1.6 % of 0.31.
  @ParameterizedTest
  @CsvSource({
    "deit_tiny_patch16_224, 1.25, .92, .60, .31",
    "deit_small_patch16_224, 4.60, 3.40, 2.25, 1.14",
    "deit_base_patch16_224, 17.56, 13.09, 8.71, 4.41",
    "deit3_large_patch16_224, 61.6, 45.9, 30.5, 15.4",
    "deit3_huge_patch14_224, 167.3, 124.7, 82.7, 41.4",
    "mae_huge_patch14_224, 167.3, 124.7, 82.7, 41.4",
    "cait_s24_224, 9.33, 6.86, 4.49, 2.22",
  })
  void maskedAsInThePaper_publishedModels_matchItsTable(
      String name, double full, double threeQuarters, double half, double quarter) {
    VitConfig config = ModelZoo.parse(name);
    assertThat(Macs.full(config) / 1e9).isCloseTo(full, printed(full));
    int all = config.patches();
    assertThat(Macs.maskedAsInThePaper(config, all * 3 / 4) / 1e9)
        .isCloseTo(threeQuarters, printed(threeQuarters));
    assertThat(Macs.maskedAsInThePaper(config, all / 2) / 1e9).isCloseTo(half, printed(half));
    assertThat(Macs.maskedAsInThePaper(config, all / 4) / 1e9).isCloseTo(quarter, printed(quarter));
  }

  // One per cent, or half a unit of the last printed decimal where that is more (0.31).
  private static Offset<Double> printed(double value) {
    return within(Math.max(0.01 * value, 0.005));
  }

  @Test
  void masked_halfKept_savesTheEmbeddingOfTheOthers() {
    VitConfig config = ModelZoo.parse("deit_tiny_patch16_224");
    assertThat(Macs.maskedAsInThePaper(config, 98) - Macs.masked(config, 98))
        .isEqualTo(98L * 768 * 192);
    assertThat(Macs.masked(config, 196)).isEqualTo(Macs.full(config));
  }

  @Test
  void masked_moreThanTheGrid_isRefused() {
    VitConfig config = ModelZoo.parse("deit_tiny_patch16_224");
    assertThatThrownBy(() -> Macs.masked(config, 197))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("197")
        .hasMessageContaining("196");
  }

  @Test
  void forward_tokensMergedInEachBlock_isTheSumOverShrinkingBlocks() {
    VitConfig config = ModelZoo.parse("vit:image=32,patch=8,width=10,depth=3,heads=2,classes=7");
    // 16 patches and a class token; 5 pairs merged, then 5, then half of the 6 that are left.
    assertThat(BlockTokens.merging(config, 16, 5))
        .containsExactly(new BlockTokens(17, 12), new BlockTokens(12, 7), new BlockTokens(7, 4));
    long attention = 4 * (17 + 12 + 7) * 100 + 2 * (17 * 17 + 12 * 12 + 7 * 7) * 10;
    long mlp = 8 * (12 + 7 + 4) * 100;
    assertThat(Macs.forward(config, 16, BlockTokens.merging(config, 16, 5)))
        .isEqualTo(16 * 192 * 10 + attention + mlp + 70);
    assertThat(Macs.forward(config, 9, BlockTokens.merging(config, 9, 0)))
        .isEqualTo(Macs.masked(config, 9));
  }

  @Test
  void forward_tokensThatDoNotFitTheModel_areRefused() {
    VitConfig cait = ModelZoo.parse("cait_s24_224");
    assertThatThrownBy(() -> BlockTokens.merging(cait, 196, 8))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("8 tokens", "class-blocks");
    assertThatThrownBy(
            () ->
                Macs.forward(
                    cait, 196, BlockTokens.constant(ModelZoo.parse("deit_tiny_patch16_224"), 196)))
        .hasMessageContainingAll("12 blocks", "24");
  }

  @Test
  void full_swinTiny_isThePublishedFigure() {
    ModelConfig config = ModelConfig.parse("swin_tiny_patch4_window7_224");
    assertThat(Macs.full(config) / 1e9).isCloseTo(4.5, within(0.045));
  }
}
