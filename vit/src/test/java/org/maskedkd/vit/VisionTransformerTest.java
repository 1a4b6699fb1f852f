package org.maskedkd.vit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

final class VisionTransformerTest {

  private static final String DEIT = "vit:image=24x32,patch=4,width=48,depth=3,heads=3,classes=7";
  private static final String DISTILLED = DEIT + ",distilled=true";
  private static final String DEIT3 = DEIT + ",layer-scale=true,pos-covers-prefix=false";
  private static final long SEED = 42;
  private static final int BATCH = 3;

  private final Scope scope = Scope.open();

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {DEIT, DISTILLED, DEIT3})
  void forward_allPatchesNamedInAnyOrder_equalsTheFullPass(String spec) {
    try (VisionTransformer model = frozen(spec, Precision.FP32)) {
      NDArray patches = patches(model.config());
      float[] full = Tensors.floats(model.forward(patches).logits());
      int n = model.config().patches();
      NDArray inOrder = places(IntStream.range(0, n).toArray());
      assertThat(Tensors.floats(model.forward(patches, inOrder).logits())).isEqualTo(full);

      NDArray reversed = places(IntStream.range(0, n).map(i -> n - 1 - i).toArray());
      float[] other =
          Tensors.floats(model.forward(Ops.gatherTokens(patches, reversed), reversed).logits());
      // Rounding only: sums of 49 terms in another order, three blocks deep.
      assertThat(Golden.off(other, full)).isLessThan(1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {DEIT, DISTILLED, DEIT3})
  void forward_masked_runsOnlyKeptPatchesAndPrefixThroughTheBlocks(String spec) {
    try (VisionTransformer model = frozen(spec, Precision.FP32)) {
      VitConfig config = model.config();
      NDArray kept = places(5, 17, 40, 41);
      NDArray patches = Ops.gatherTokens(patches(config), kept);
      VitOutput out = model.forward(patches, kept, null, AttentionRow.LAST_CLASS);
      NDArray attention = requireNonNull(out.attention());
      assertThat(attention.getShape())
          .isEqualTo(new Shape(BATCH, config.heads(), config.attentionPrefix() + 4L));
      assertThat(model.forward(patches, kept).attention()).isNull();
      assertThat(Macs.masked(config, 4)).isLessThan(Macs.full(config) / 6);

      // The places matter: the same patches elsewhere are another input, if only by 1e-4
      // (LayerScale) of a branch.
      float[] elsewhere = Tensors.floats(model.forward(patches, places(0, 1, 2, 3)).logits());
      assertThat(elsewhere).isNotEqualTo(Tensors.floats(out.logits()));
    }
  }

  @Test
  void forward_bfloat16_isNearFloat32AndGivesFloat32() {
    try (VisionTransformer exact = frozen(DEIT, Precision.FP32);
        VisionTransformer rounded = frozen(DEIT, Precision.BF16)) {
      NDArray patches = patches(exact.config());
      VitOutput out = rounded.forward(patches, null, null, AttentionRow.LAST_CLASS);
      NDArray attention = requireNonNull(out.attention());
      assertThat(out.logits().getDataType()).isEqualTo(DataType.FLOAT32);
      assertThat(attention.getDataType()).isEqualTo(DataType.FLOAT32);
      double off =
          Golden.off(Tensors.floats(out.logits()), Tensors.floats(exact.forward(patches).logits()));
      // A rounding to 8 bits is off by at most 2^-9 of its value. The class token is rounded at the
      // embedding, after either
      // residual sum of 3 blocks, and inside each of 6 branches about 4 times (norm, two products,
      // activation): 31
      // roundings; independent ones add as sqrt(31) * 2^-9 = 1.1 %, and the largest of 21 logits
      // may be 3 times that.
      assertThat(off).isBetween(1e-5, 3.3e-2);
    }
  }

  @Test
  void forward_frozenOrTrainableBfloat16_giveTheSameBits() {
    VitConfig config = ModelZoo.parse(DEIT3);
    try (VisionTransformer frozen = frozen(DEIT3, Precision.BF16);
        VisionTransformer trainable =
            VisionTransformer.initialised(
                config, SEED, Precision.BF16, VisionTransformer.Mode.TRAINABLE);
        GradMode off = GradMode.off()) {
      NDArray patches = patches(config);
      assertThat(Tensors.floats(trainable.forward(patches).logits()))
          .isEqualTo(Tensors.floats(frozen.forward(patches).logits()));
    }
  }

  @Test
  void forward_relayedBytesOfKeptPatches_equalsNormalisingTheWholeImageBitForBit() {
    String statistics = ",mean=0.5071/0.4867/0.4408,std=0.2675/0.2565/0.2761";
    try (VisionTransformer teacher = frozen(DEIT + statistics, Precision.FP32)) {
      VitConfig config = teacher.config();
      SplittableRandom random = new SplittableRandom(SEED);
      byte[] pixels = new byte[BATCH * 3 * 24 * 32];
      random.nextBytes(pixels);
      NDArray images =
          Tensors.fromBytes(
              scope.manager(), ByteBuffer.wrap(pixels), DataType.UINT8, BATCH, 3, 24, 32);
      NDArray kept = places(1, 2, 19, 30, 47);

      ByteBuffer relayed =
          Tensors.bytes(Ops.gatherTokens(Ops.patches(images, config.patch()), kept));
      NDArray received =
          Tensors.fromBytes(
              scope.manager(), relayed, DataType.UINT8, BATCH, 5, config.patchValues());
      NDArray normalised = Ops.normalizePatches(received, config.meanValues(), config.stdValues());
      NDArray whole = Ops.normalizeImages(images, config.meanValues(), config.stdValues());
      NDArray gathered = Ops.gatherTokens(Ops.patches(whole, config.patch()), kept);

      assertThat(Tensors.floats(teacher.forward(normalised, kept).logits()))
          .isEqualTo(Tensors.floats(teacher.forward(gathered, kept).logits()));
    }
  }

  @Test
  void forward_bothBranchesOfEveryBlockDropped_leavesOnlyEmbeddingAndHead() {
    try (VisionTransformer model = frozen(DEIT, Precision.FP32)) {
      NDArray patches = patches(model.config());
      float[][] none = new float[6][BATCH];
      float[] logits = Tensors.floats(model.forward(patches, null, none, null).logits());
      // Without blocks the class token never meets a patch, so every image gets the same logits.
      assertThat(Arrays.copyOfRange(logits, 0, 7)).isEqualTo(Arrays.copyOfRange(logits, 14, 21));

      float[][] all = new float[6][BATCH];
      for (float[] branch : all) {
        Arrays.fill(branch, 1);
      }
      assertThat(Tensors.floats(model.forward(patches, null, all, null).logits()))
          .isEqualTo(Tensors.floats(model.forward(patches).logits()));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {DEIT, DEIT3})
  void backward_dropPath_doesNotDependOnTheCut(String spec) {
    VitConfig config = ModelZoo.parse(spec);
    try (VisionTransformer model =
            VisionTransformer.initialised(
                config, SEED, Precision.FP32, VisionTransformer.Mode.TRAINABLE);
        GradMode on = GradMode.on();
        Gradients gradients = new Gradients(List.copyOf(model.parameters().values()))) {
      NDArray patches = patches(config);
      float[][] whole = gradients(model, gradients, patches, 3);
      float[][] cut = gradients(model, gradients, patches, 1, 2);
      for (int i = 0; i < whole.length; i++) {
        assertThat(Golden.off(cut[i], whole[i])).isLessThan(1e-5);
      }
    }
  }

  private static float[][] gradients(
      VisionTransformer model, Gradients gradients, NDArray patches, int... sizes) {
    gradients.zero();
    int from = 0;
    for (int size : sizes) {
      try (Scope micro = Scope.open()) {
        float[][] scales = DropPath.scales(SEED, 1, from, size, model.config(), 0.5);
        NDArray part = patches.get("{}:{}", from, from + size);
        NDArray logits = model.forward(part, null, scales, null).logits();
        float[] cotangent = new float[size * 7];
        for (int i = 0; i < cotangent.length; i++) {
          cotangent[i] = (float) Math.sin(from * 7 + i);
        }
        Gradients.backward(logits, Tensors.of(micro.manager(), cotangent, size, 7));
      }
      from += size;
    }
    return IntStream.range(0, gradients.parameters().size())
        .mapToObj(i -> Tensors.floats(gradients.of(i)))
        .toArray(float[][]::new);
  }

  @Test
  void forward_frozen_recordsNothingEvenWhenTheThreadRecords() {
    try (VisionTransformer model = frozen(DEIT, Precision.FP32);
        GradMode on = GradMode.on()) {
      NDArray logits = model.forward(patches(model.config())).logits();
      assertThat(GradMode.isOn()).isTrue();
      assertThat(logits.hasGradient()).isFalse();
      assertThat(model.parameters().values()).noneMatch(NDArray::hasGradient);
    }
  }

  @Test
  void forward_insideAScope_leavesParametersUsableAfterIt() {
    try (Scope outer = Scope.open();
        VisionTransformer model = frozen(DEIT, Precision.BF16)) {
      NDArray patches = outer.keep(patches(model.config()));
      float[] first = Tensors.floats(model.forward(patches).logits());
      outer.close();
      try (Scope later = Scope.open()) {
        assertThat(Tensors.floats(model.forward(patches).logits())).isEqualTo(first);
      }
      patches.close();
    }
  }

  @Test
  void forward_wrongInput_namesFoundAndExpected() {
    try (VisionTransformer model = frozen(DEIT, Precision.FP32)) {
      NDArray patches = patches(model.config());
      NDArray four = patches.get(":, :4");
      assertThatThrownBy(() -> model.forward(four))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("4 patches without places do not fill the grid's 48");
      assertThatThrownBy(() -> model.forward(four, places(1, 2, 3)))
          .hasMessageContaining("(3, 3)")
          .hasMessageContaining("[3, 4]");
      assertThatThrownBy(() -> model.forward(four, places(1, 2, 3, 48)))
          .hasMessageContaining("place 48 is outside the grid's 0..47");
      assertThatThrownBy(() -> model.forward(patches.get(":, :, :47")))
          .hasMessageContaining("[batch, patches, 48]");
      assertThatThrownBy(() -> model.forward(patches, null, new float[5][3], null))
          .hasMessageContaining("5 branches");
      assertThatThrownBy(() -> model.forward(patches, null, new float[6][2], null))
          .hasMessageContaining("2 samples do not match the batch of 3");
    }
  }

  @Test
  void initialised_sameSeed_givesTheSameWeightsOfTheStatedSpread() {
    VitConfig config = ModelZoo.parse(DEIT3);
    try (VisionTransformer one = frozen(DEIT3, Precision.FP32);
        VisionTransformer same = frozen(DEIT3, Precision.FP32);
        VisionTransformer other =
            VisionTransformer.initialised(
                config, SEED + 1, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      assertThat(one.digest()).isEqualTo(same.digest()).isNotEqualTo(other.digest());
      assertThat(deviation(one, "blocks.1.mlp.fc1.weight")).isBetween(0.0195, 0.0205);
      assertThat(deviation(one, "pos_embed")).isBetween(0.019, 0.021);
      // A uniform distribution within 1/sqrt(48) deviates by that over sqrt(3).
      assertThat(deviation(one, "patch_embed.proj.weight")).isBetween(0.081, 0.086);
      assertThat(Tensors.floats(requireNonNull(one.parameters().get("blocks.0.ls1.gamma"))))
          .containsOnly(1e-4f);
      assertThat(Tensors.floats(requireNonNull(one.parameters().get("norm.weight"))))
          .containsOnly(1);
      assertThat(Tensors.floats(requireNonNull(one.parameters().get("head.bias")))).containsOnly(0);
    }
  }

  @Test
  void parameters_deitTiny_areTimmsInNumberAndDecay() {
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse("deit_tiny_patch16_224"),
            SEED,
            Precision.FP32,
            VisionTransformer.Mode.FROZEN)) {
      assertThat(model.parameterCount()).isEqualTo(5_717_416);
      assertThat(model.parameters()).hasSize(152);
      assertThat(model.decays("blocks.3.attn.qkv.weight")).isTrue();
      assertThat(model.decays("patch_embed.proj.weight")).isTrue();
      assertThat(model.decays("blocks.3.attn.qkv.bias")).isFalse();
      assertThat(model.decays("blocks.3.norm1.weight")).isFalse();
      assertThat(model.decays("cls_token")).isFalse();
      assertThat(model.decays("pos_embed")).isFalse();
    }
  }

  private static double deviation(VisionTransformer model, String name) {
    double squares = 0;
    float[] values = Tensors.floats(requireNonNull(model.parameters().get(name)));
    for (float value : values) {
      squares += value * (double) value;
    }
    return Math.sqrt(squares / values.length);
  }

  private static VisionTransformer frozen(String spec, Precision precision) {
    return VisionTransformer.initialised(
        ModelZoo.parse(spec), SEED, precision, VisionTransformer.Mode.FROZEN);
  }

  private NDArray patches(VitConfig config) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] values = new float[BATCH * config.patches() * config.patchValues()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (4 * random.nextDouble() - 2);
    }
    return Tensors.of(scope.manager(), values, BATCH, config.patches(), config.patchValues());
  }

  /** The same places for every image. */
  private NDArray places(int... ids) {
    long[] all = new long[BATCH * ids.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = ids[i % ids.length];
    }
    return Tensors.of(scope.manager(), all, BATCH, ids.length);
  }
}
