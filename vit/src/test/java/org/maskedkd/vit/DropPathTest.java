package org.maskedkd.vit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class DropPathTest {

  private static final VitConfig CONFIG =
      ModelZoo.parse("vit:image=8,patch=4,width=8,depth=5,heads=2,classes=3");

  @Test
  void scales_anyCutOfTheBatch_giveEachSampleTheSame() {
    float[][] whole = requireNonNull(DropPath.scales(5, 9, 0, 8, CONFIG, 0.5));
    float[][] part = requireNonNull(DropPath.scales(5, 9, 3, 2, CONFIG, 0.5));
    for (int layer = 0; layer < whole.length; layer++) {
      assertThat(part[layer]).containsExactly(whole[layer][3], whole[layer][4]);
    }
  }

  @Test
  void scales_manySamples_dropLinearlyOverDepthAndKeepTheMean() {
    int samples = 4000;
    float[][] scales = requireNonNull(DropPath.scales(5, 9, 0, samples, CONFIG, 0.4));
    assertThat(scales).hasDimensions(10, samples);
    for (int layer = 0; layer < 10; layer++) {
      int block = layer / 2;
      double rate = 0.1 * block;
      int dropped = 0;
      for (float scale : scales[layer]) {
        if (scale == 0) {
          dropped++;
        } else {
          assertThat(scale).isEqualTo((float) (1 / (1 - rate)));
        }
      }
      double deviation = Math.sqrt(samples * rate * (1 - rate));
      assertThat((double) dropped)
          .isBetween(samples * rate - 5 * deviation, samples * rate + 5 * deviation);
    }
    assertThat(scales[8]).isNotEqualTo(scales[9]);
  }

  @Test
  void scales_rateZero_areNone() {
    assertThat(DropPath.scales(5, 9, 0, 8, CONFIG, 0)).isNull();
  }

  @Test
  void scales_rateOutside_isRefused() {
    assertThatThrownBy(() -> DropPath.scales(5, 9, 0, 8, CONFIG, 1)).hasMessageContaining("1.0");
  }
}
