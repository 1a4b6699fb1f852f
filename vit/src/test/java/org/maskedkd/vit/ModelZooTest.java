package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ModelZooTest {

  @Test
  void parse_zooName_givesPublishedSizes() {
    VitConfig tiny = ModelZoo.parse("deit_tiny_patch16_224");
    assertThat(tiny)
        .isEqualTo(
            new VitConfig(
                224,
                224,
                16,
                3,
                192,
                12,
                3,
                768,
                1000,
                VitTraits.plain(),
                1e-6,
                List.of(0.485, 0.456, 0.406),
                List.of(0.229, 0.224, 0.225)));
    assertThat(ModelZoo.parse("deit_small_patch16_224").width()).isEqualTo(384);
    assertThat(ModelZoo.parse("deit_base_patch16_224").heads()).isEqualTo(12);
    assertThat(ModelZoo.parse("deit_base_distilled_patch16_224").tokens()).isEqualTo(198);
    assertThat(ModelZoo.parse("deit3_large_patch16_224").posCoversPrefix()).isFalse();
  }

  @Test
  void parse_freeForm_fillsDefaults() {
    VitConfig config =
        ModelZoo.parse("vit:image=24x40,patch=8,width=96,depth=6,heads=3,classes=10");
    assertThat(config.gridRows()).isEqualTo(3);
    assertThat(config.gridColumns()).isEqualTo(5);
    assertThat(config.mlpWidth()).isEqualTo(384);
    assertThat(config.eps()).isEqualTo(1e-6);
    assertThat(config.mean()).isEqualTo(VitConfig.IMAGENET_MEAN);
  }

  @Test
  void parse_zooNameWithKeys_changesOnlyThose() {
    assertThat(ModelZoo.parse("deit_tiny_patch16_224:classes=10"))
        .isEqualTo(ModelZoo.parse("deit_tiny_patch16_224").withClasses(10));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "deit_small_distilled_patch16_224",
        "deit3_base_patch16_224:image=384",
        "cait_s24_224",
        "mae_huge_patch14_224",
        "clip_base_patch16_224:text-width=512",
        "vit:image=24x40,patch=8,width=96,depth=6,heads=3,classes=10,mlp=100,eps=1e-5,"
            + "mean=0.1/0.2/0.3,std=0.5/0.25/0.125"
      })
  void canonical_parsed_equalsTheConfig(String text) {
    VitConfig config = ModelZoo.parse(text);
    assertThat(ModelZoo.parse(config.canonical())).isEqualTo(config);
    assertThat(ModelZoo.parse(config.canonical()).canonical()).isEqualTo(config.canonical());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "deit_tinny_patch16_224 | did you mean 'deit_tiny_patch16_224'",
        "vit:image=32,patch=4,widht=96,depth=6,heads=3,classes=10 | did you mean 'width'",
        "vit:image=32,patch=4,width=96,depth=6,heads=3 | key 'classes' is missing",
        "vit:image=32,patch=4,width=96,depth=6,heads=5,classes=10 | width 96 is not a multiple of heads 5",
        "vit:image=30,patch=4,width=96,depth=6,heads=3,classes=10 | image 30x30 is not a multiple of patch 4",
        "vit:image=32,patch=4,width=96,depth=0,heads=3,classes=10 | depth 0 is not positive",
        "vit:image=32,patch=4,width=ab,depth=6,heads=3,classes=10 | width=ab is not an integer",
        "vit:image=32,patch=4,width=96,depth=6,heads=3,classes=10,distilled=yes | distilled=yes is neither",
        "vit:image=32,patch=4,width=96,depth=6,heads=3,classes=10,depth=6 | key 'depth' is given twice",
        "vit:image=32,patch=4,width=96,depth=6,heads=3,classes=10,channels=1 | 3 values of mean",
        "vit:image=32,patch | 'patch' is not of the form key=value",
      })
  void parse_wrong_saysWhatAndWhatWouldBeRight(String text, String message) {
    assertThatThrownBy(() -> ModelZoo.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void withWantedStatistics_imageNets_leavesAModelItsOwn() {
    VitConfig clip = ModelZoo.parse("clip_base_patch16_224");
    assertThat(clip.withWantedStatistics(VitConfig.IMAGENET_MEAN, VitConfig.IMAGENET_STD))
        .isEqualTo(clip);
    assertThat(clip.withWantedStatistics(List.of(), List.of())).isEqualTo(clip);
    List<Double> halves = List.of(0.5, 0.5, 0.5);
    assertThat(clip.withWantedStatistics(halves, halves).mean()).isEqualTo(halves);
  }
}
