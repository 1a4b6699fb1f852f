package org.maskedkd.vit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

final class WeightsTest {

  private static final String SPEC = "vit:image=16x24,patch=4,width=32,depth=2,heads=2,classes=5";

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @Test
  void save_float32_comesBackBitForBitUnderTheSameDigest() throws IOException {
    VitConfig config = ModelZoo.parse(SPEC + ",distilled=true,layer-scale=true");
    Path path = dir.resolve("m.safetensors");
    Path again = dir.resolve("again.safetensors");
    try (VisionTransformer model = model(config, 1)) {
      model.save(path, SafetensorsType.F32, Map.of("step", "7"));
      try (VisionTransformer loaded = load(config, path)) {
        assertThat(loaded.digest()).isEqualTo(model.digest());
        assertThat(loaded.notices()).isEmpty();
        loaded.save(again, SafetensorsType.F32, Map.of("step", "7"));
      }
    }
    assertThat(Files.mismatch(path, again)).isEqualTo(-1);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertThat(file.metadata()).containsEntry("step", "7");
      assertThat(ModelConfig.describedIn(file)).contains(config);
      assertThat(file.names())
          .startsWith("cls_token", "dist_token", "pos_embed", "patch_embed.proj.weight")
          .endsWith("head.weight", "head.bias", "head_dist.weight", "head_dist.bias");
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16"})
  void save_halfPrecision_isRoundedOnceAndThenStays(SafetensorsType type) throws IOException {
    VitConfig config = ModelZoo.parse(SPEC);
    Path path = dir.resolve("m.safetensors");
    Path again = dir.resolve("again.safetensors");
    try (VisionTransformer model = model(config, 1)) {
      model.save(path, type, Map.of());
      try (VisionTransformer loaded = load(config, path)) {
        float[] before = values(model, "blocks.1.attn.qkv.weight");
        float[] after = values(loaded, "blocks.1.attn.qkv.weight");
        // Half a unit of the last kept bit: 8 bits of precision for BF16, 11 for F16.
        assertThat(Golden.off(after, before))
            .isPositive()
            .isLessThan(type == SafetensorsType.BF16 ? 0x1p-8 : 0x1p-11);
        loaded.save(again, type, Map.of());
      }
    }
    assertThat(Files.mismatch(path, again)).isEqualTo(-1);
    assertThat(Files.size(path)).isLessThan(100_000);
  }

  @Test
  void digest_anyChange_isSeen() {
    try (VisionTransformer model = model(ModelZoo.parse(SPEC), 1)) {
      String before = model.digest();
      assertThat(before).hasSize(64).isEqualTo(model.digest());
      NDArray bias = requireNonNull(model.parameters().get("head.bias"));
      try (NDArray changed = Tensors.of(Torch.manager(), new float[] {0, 0, 0, 0, 1e-30f}, 5)) {
        Tensors.copyInto(bias, changed);
      }
      assertThat(model.digest()).isNotEqualTo(before);
    }
  }

  @Test
  void restore_intoALivingModel_changesValuesButNotArrays() throws IOException {
    VitConfig config = ModelZoo.parse(SPEC);
    Path path = dir.resolve("m.safetensors");
    try (VisionTransformer one = model(config, 1);
        VisionTransformer two =
            VisionTransformer.initialised(
                config, 2, Precision.BF16, VisionTransformer.Mode.FROZEN)) {
      one.save(path, SafetensorsType.F32, Map.of());
      List<NDArray> arrays = List.copyOf(two.parameters().values());
      two.restore(path);
      assertThat(two.digest()).isEqualTo(one.digest());
      assertThat(List.copyOf(two.parameters().values()))
          .usingElementComparator((a, b) -> a == b ? 0 : 1)
          .isEqualTo(arrays);
      try (VisionTransformer fresh =
              VisionTransformer.load(config, path, Precision.BF16, VisionTransformer.Mode.FROZEN);
          Scope scope = Scope.open()) {
        NDArray patches = Tensors.zeros(scope.manager(), 1, config.patches(), 48);
        assertThat(Tensors.floats(two.forward(patches).logits()))
            .isEqualTo(Tensors.floats(fresh.forward(patches).logits()));
      }
    }
  }

  @Test
  void load_otherArchitecture_listsEveryDifference() throws IOException {
    Path path = dir.resolve("m.safetensors");
    try (VisionTransformer model = model(ModelZoo.parse(SPEC + ",distilled=true"), 1)) {
      model.save(path, SafetensorsType.F32, Map.of());
    }
    VitConfig other = ModelZoo.parse(SPEC.replace("classes=5", "classes=3") + ",layer-scale=true");
    assertThatThrownBy(() -> load(other, path))
        .isInstanceOf(WeightsException.class)
        .hasMessageContaining(path.toString())
        .hasMessageContaining("pos_embed has shape [1, 26, 32], expected [1, 25, 32]")
        .hasMessageContaining("missing blocks.0.ls1.gamma")
        .hasMessageContaining("missing blocks.1.ls2.gamma")
        .hasMessageContaining("head.weight has shape [5, 32], expected [3, 32]")
        .hasMessageContaining("unexpected dist_token")
        .hasMessageContaining("unexpected head_dist.bias")
        .hasMessageContaining("can be adapted on request");
  }

  @Test
  void adapted_otherClassesAndGrid_keepsTheRestAndSaysSo() throws IOException {
    VitConfig from = ModelZoo.parse(SPEC);
    VitConfig to = ModelZoo.parse(SPEC.replace("16x24", "24x40")).withClasses(3);
    Path path = dir.resolve("m.safetensors");
    try (VisionTransformer model = model(from, 1)) {
      model.save(path, SafetensorsType.F32, Map.of());
      try (VisionTransformer adapted =
          VisionTransformer.adapted(to, path, 9, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
        assertThat(adapted.notices())
            .hasSize(2)
            .anyMatch(n -> n.contains("from a grid of 4x6 to 6x10"))
            .anyMatch(n -> n.contains("head replaced") && n.contains("5 classes, the model 3"));
        assertThat(values(adapted, "blocks.1.mlp.fc2.weight"))
            .isEqualTo(values(model, "blocks.1.mlp.fc2.weight"));
        try (VisionTransformer fresh = model(to, 9)) {
          assertThat(values(adapted, "head.weight")).isEqualTo(values(fresh, "head.weight"));
        }
        float[] before = values(model, "pos_embed");
        float[] after = values(adapted, "pos_embed");
        for (int f = 0; f < 32; f++) {
          assertThat(after[f]).as("class token's row").isEqualTo(before[f]);
          for (int row = 0; row < 6; row++) {
            for (int column = 0; column < 10; column++) {
              double expected = bicubic(before, f, row, column);
              assertThat((double) after[(1 + row * 10 + column) * 32 + f])
                  .isCloseTo(expected, within(2e-7));
            }
          }
        }
      }
    }
  }

  /**
   * The formula of golden/README: feature f of the 4x6 grid after the class token, seen from a 6x10
   * grid.
   */
  private static double bicubic(float[] rows, int feature, int row, int column) {
    double y = (row + 0.5) * 4 / 6 - 0.5;
    double x = (column + 0.5) * 6 / 10 - 0.5;
    int top = (int) Math.floor(y);
    int left = (int) Math.floor(x);
    double sum = 0;
    for (int i = top - 1; i <= top + 2; i++) {
      for (int j = left - 1; j <= left + 2; j++) {
        int r = Math.min(3, Math.max(0, i));
        int c = Math.min(5, Math.max(0, j));
        sum += weight(y - i) * weight(x - j) * rows[(1 + r * 6 + c) * 32 + feature];
      }
    }
    return sum;
  }

  private static double weight(double distance) {
    double x = Math.abs(distance);
    double a = -0.75;
    return x <= 1
        ? (a + 2) * x * x * x - (a + 3) * x * x + 1
        : a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
  }

  @Test
  void adapted_otherWidth_isStillAnError() throws IOException {
    Path path = dir.resolve("m.safetensors");
    try (VisionTransformer model = model(ModelZoo.parse(SPEC), 1)) {
      model.save(path, SafetensorsType.F32, Map.of());
    }
    VitConfig wider = ModelZoo.parse(SPEC.replace("width=32", "width=36"));
    assertThatThrownBy(
            () ->
                VisionTransformer.adapted(
                    wider, path, 9, Precision.FP32, VisionTransformer.Mode.FROZEN))
        .isInstanceOf(WeightsException.class)
        .hasMessageContaining("blocks.0.norm1.weight has shape [32], expected [36]");
  }

  private static VisionTransformer model(VitConfig config, long seed) {
    return VisionTransformer.initialised(
        config, seed, Precision.FP32, VisionTransformer.Mode.FROZEN);
  }

  private static VisionTransformer load(VitConfig config, Path path) {
    return VisionTransformer.load(config, path, Precision.FP32, VisionTransformer.Mode.FROZEN);
  }

  private static float[] values(VisionTransformer model, String name) {
    return Tensors.floats(requireNonNull(model.parameters().get(name)));
  }
}
