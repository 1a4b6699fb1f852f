package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.VisionTransformer.Mode;

/** Token merging against {@link PlainVit}, which follows the paper's words in double precision. */
class TokenMergingTest {
  private static final String SIZE = "vit:image=20x24,patch=4,width=24,depth=3,heads=3,classes=5";
  private static final int BATCH = 3;
  private static final int PATCHES = 30;

  private final Scope scope = Scope.open();

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static VisionTransformer model(String description, Precision precision) {
    return VisionTransformer.initialised(ModelZoo.parse(description), 3, precision, Mode.FROZEN);
  }

  private static float[] drawn(int size) {
    SplittableRandom random = new SplittableRandom(7);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextDouble(-2, 2);
    }
    return values;
  }

  /** Other places for each image. */
  private static int[][] places(int kept) {
    int[][] places = new int[BATCH][kept];
    for (int image = 0; image < BATCH; image++) {
      for (int i = 0; i < kept; i++) {
        places[image][i] = kept == PATCHES ? i : 2 * i + (image + i) % 2;
      }
    }
    return places;
  }

  private NDArray array(float[] patches, int kept, int values) {
    return Tensors.of(scope.manager(), patches, BATCH, kept, values);
  }

  private NDArray array(int[][] places) {
    long[] flat = Arrays.stream(places).flatMapToInt(Arrays::stream).asLongStream().toArray();
    return Tensors.of(scope.manager(), flat, BATCH, places[0].length);
  }

  private static Map<String, double[]> weights(VisionTransformer model) {
    Map<String, double[]> weights = new LinkedHashMap<>();
    model
        .parameters()
        .forEach(
            (name, array) -> {
              float[] values = Tensors.floats(array);
              double[] exact = new double[values.length];
              Arrays.setAll(exact, i -> values[i]);
              weights.put(name, exact);
            });
    return weights;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        SIZE,
        SIZE + ",distilled=true",
        SIZE + ",layer-scale=true,pos-covers-prefix=false",
        SIZE + ",pool=mean",
        SIZE + ",act=quick-gelu,pre-norm=true,eps=1e-5,text-width=8"
      })
  void forwardMerging_everyFamily_equalsThePlainOne(String description) {
    try (VisionTransformer model = model(description, Precision.FP32)) {
      VitConfig config = model.config();
      int values = config.patchValues();
      for (int kept : new int[] {PATCHES, PATCHES / 2}) {
        float[] patches = drawn(BATCH * kept * values);
        int[][] places = places(kept);
        for (int perBlock : new int[] {1, 4, 1000}) {
          float[] expected = new float[BATCH * config.classes()];
          for (int image = 0; image < BATCH; image++) {
            double[][] own = new double[kept][values];
            for (int i = 0; i < kept * values; i++) {
              own[i / values][i % values] = patches[image * kept * values + i];
            }
            PlainVit plain =
                new PlainVit(config, weights(model), AttentionRow.LAST_CLASS, perBlock);
            double[] logits = plain.logits(own, places[image]);
            for (int c = 0; c < logits.length; c++) {
              expected[image * logits.length + c] = (float) logits[c];
            }
            List<BlockTokens> tokens = BlockTokens.merging(config, kept, perBlock);
            assertThat(plain.sizes).hasSize((int) tokens.get(config.depth() - 1).mlp());
            assertThat(Arrays.stream(plain.sizes).sum())
                .isCloseTo(config.prefixTokens() + kept, within(1e-9));
          }

          VitOutput found =
              model.forwardMerging(array(patches, kept, values), array(places), perBlock);

          assertThat(Golden.off(Tensors.floats(found.logits()), expected))
              .as("%d patches, %d merged", kept, perBlock)
              .isLessThan(1e-5);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void forwardMerging_noneOrSome_isTheSameBitsAsWithoutOrAnother(Precision precision) {
    try (VisionTransformer model = model(SIZE, precision)) {
      int values = model.config().patchValues();
      NDArray patches = array(drawn(BATCH * PATCHES * values), PATCHES, values);
      float[] without = Tensors.floats(model.forward(patches).logits());

      assertThat(Tensors.floats(model.forwardMerging(patches, null, 0).logits()))
          .isEqualTo(without);
      float[] merged = Tensors.floats(model.forwardMerging(patches, null, 5).logits());
      assertThat(merged).isNotEqualTo(without).doesNotContain(Float.NaN);
      int arrays = Torch.manager().getManagedArrays().size();
      try (Scope inner = Scope.open()) {
        assertThat(Tensors.floats(model.forwardMerging(patches, null, 5).logits()))
            .isEqualTo(merged);
      }
      assertThat(Torch.manager().getManagedArrays()).hasSize(arrays);
    }
  }

  private static List<Integer> tokens(String model, int kept, int perBlock) {
    return BlockTokens.merging(ModelZoo.parse(model), kept, perBlock).stream()
        .map(block -> (int) block.mlp())
        .toList();
  }

  @Test
  void tokens_deitSmall_fallByTheCountAndNeverBelowHalf() {
    String small = "deit_small_patch16_224";
    assertThat(tokens(small, 196, 13))
        .containsExactly(184, 171, 158, 145, 132, 119, 106, 93, 80, 67, 54, 41);
    assertThat(tokens(small, 98, 30)).containsExactly(69, 39, 20, 11, 6, 4, 3, 2, 2, 2, 2, 2);
    assertThat(tokens(small, 98, 0)).containsOnly(99);
    assertThat(tokens("deit_tiny_distilled_patch16_224", 7, 100))
        .containsExactly(6, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3);
  }

  @Test
  void macs_merging_isThePublishedNumber() {
    VitConfig small = ModelZoo.parse("deit_small_patch16_224");
    // Bolya et al., table 4: DeiT-S with 13 tokens merged in each block.
    assertThat(Macs.forward(small, 196, BlockTokens.merging(small, 196, 13)) / 1e9)
        .isCloseTo(2.7, within(0.05));
  }

  @Test
  void forwardMerging_whereItHasNoMeaning_isRefused() {
    VitConfig cait =
        ModelZoo.parse(SIZE + ",layer-scale=true,pos-covers-prefix=false,class-blocks=2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TokenMerging.requireIn(cait, 2))
        .withMessageContaining("2 tokens")
        .withMessageContaining("CaiT");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TokenMerging.requireIn(cait, -1))
        .withMessageContaining("-1 tokens");
    try (VisionTransformer trained =
        VisionTransformer.initialised(ModelZoo.parse(SIZE), 3, Precision.FP32, Mode.TRAINABLE)) {
      int values = trained.config().patchValues();
      NDArray patches = array(drawn(BATCH * PATCHES * values), PATCHES, values);
      assertThatIllegalStateException()
          .isThrownBy(() -> trained.forwardMerging(patches, null, 2))
          .withMessageContaining("TRAINABLE");
    }
  }
}
