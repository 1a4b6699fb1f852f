package org.maskedkd.vit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

/** Every family of models against {@link PlainVit}, with random weights of every kind. */
final class FamiliesTest {
  private static final String SIZE = "vit:image=12x16,patch=4,width=24,depth=3,heads=3,classes=5";
  private static final String DEIT3 = SIZE + ",layer-scale=true,pos-covers-prefix=false";
  private static final String CAIT = DEIT3 + ",class-blocks=2";
  private static final String MAE = SIZE + ",pool=mean";
  private static final String CLIP = SIZE + ",act=quick-gelu,pre-norm=true,eps=1e-5";
  private static final int[] ALL = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  private static final int[] SOME = {1, 2, 5, 10};

  private final Scope scope = Scope.open();
  private final Map<String, double[]> values = new LinkedHashMap<>();
  @TempDir private Path folder;

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** Writes a file of random weights for the model, and keeps them in {@link #values}. */
  private Path weights(VitConfig config) throws IOException {
    SplittableRandom random = new SplittableRandom(5);
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    ParameterShapes.of(config)
        .forEach(
            (name, shape) -> {
              int size = 1;
              for (long side : shape) {
                size *= (int) side;
              }
              float[] drawn = new float[size];
              double[] exact = new double[size];
              boolean norm = name.contains("norm") && name.endsWith("weight");
              for (int i = 0; i < size; i++) {
                drawn[i] = (float) ((norm ? 1 : 0) + random.nextDouble(-0.3, 0.3));
                exact[i] = drawn[i];
              }
              values.put(name, exact);
              entries.add(
                  SafetensorsWriter.Entry.floats(name, SafetensorsType.F32, shape, () -> drawn));
            });
    Path file = folder.resolve("model.safetensors");
    SafetensorsWriter.write(file, Map.of(), entries);
    return file;
  }

  private static double[][] patches(VitConfig config, int count) {
    SplittableRandom random = new SplittableRandom(6);
    double[][] patches = new double[count][config.patchValues()];
    for (double[] patch : patches) {
      for (int v = 0; v < patch.length; v++) {
        patch[v] = (float) random.nextDouble(-2, 2);
      }
    }
    return patches;
  }

  private NDArray array(double[][] patches) {
    float[] flat = new float[patches.length * patches[0].length];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) patches[i / patches[0].length][i % patches[0].length];
    }
    return Tensors.of(scope.manager(), flat, 1, patches.length, patches[0].length);
  }

  private NDArray places(int[] kept) {
    long[] places = new long[kept.length];
    for (int i = 0; i < kept.length; i++) {
      places[i] = kept[i];
    }
    return Tensors.of(scope.manager(), places, 1, kept.length);
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        SIZE,
        SIZE + ",distilled=true",
        DEIT3,
        CAIT,
        MAE,
        CLIP,
        CLIP + ",text-width=8",
        CLIP + ",pool=mean"
      })
  void forward_everyFamily_equalsThePlainOne(String model) throws IOException {
    VitConfig config = ModelZoo.parse(model);
    Path file = weights(config);
    for (VisionTransformer.Mode mode : VisionTransformer.Mode.values()) {
      try (VisionTransformer real = VisionTransformer.load(config, file, Precision.FP32, mode);
          GradMode off = GradMode.off()) {
        for (int[] kept : List.of(ALL, SOME)) {
          double[][] patches = patches(config, kept.length);
          PlainVit plain = new PlainVit(config, values, AttentionRow.LAST_CLASS);
          float[] expected = floats(plain.logits(patches, kept));

          VitOutput found =
              real.forward(array(patches), places(kept), null, AttentionRow.LAST_CLASS);

          assertThat(Golden.off(Tensors.floats(found.logits()), expected)).isLessThan(1e-5);
          float[] rows = Tensors.floats(requireNonNull(found.attention()));
          int tokens = config.attentionPrefix() + kept.length;
          assertThat(rows).hasSize(config.heads() * tokens);
          float[] plainRows = new float[rows.length];
          for (int i = 0; i < rows.length; i++) {
            plainRows[i] = (float) plain.attention[i / tokens][i % tokens];
          }
          assertThat(Golden.off(rows, plainRows)).isLessThan(1e-5);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"CLASS, 0", "CLASS, 1", "CLASS, -3", "PATCHES, -1", "PATCHES, 0"})
  void forward_attentionOfAnyLayerAndRow_equalsThePlainOne(AttentionRow.From from, int layer)
      throws IOException {
    AttentionRow wanted = new AttentionRow(from, layer);
    for (String model : List.of(SIZE, SIZE + ",distilled=true", CAIT)) {
      VitConfig config = ModelZoo.parse(model);
      if (config.attendsByClass() && (from == AttentionRow.From.PATCHES || layer == -3)) {
        continue;
      }
      Path file = weights(config);
      try (VisionTransformer real =
              VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.FROZEN);
          GradMode off = GradMode.off()) {
        double[][] patches = patches(config, SOME.length);
        PlainVit plain = new PlainVit(config, values, wanted);
        float[] logits = floats(plain.logits(patches, SOME));

        VitOutput found = real.forward(array(patches), places(SOME), null, wanted);

        assertThat(Golden.off(Tensors.floats(found.logits()), logits)).isLessThan(1e-5);
        for (int h = 0; h < config.heads(); h++) {
          float[] row = Tensors.floats(requireNonNull(found.attention()).get(":, {}, :", h));
          assertThat(Golden.off(row, floats(plain.attention[h]))).isLessThan(1e-5);
        }
      }
    }
  }

  /** One number made of all features that were asked for. */
  private static double weighed(PlainVit plain, VitConfig config, List<Integer> blocks) {
    double sum = 0;
    for (int block : blocks) {
      double[][] tokens = plain.tokens.get(block);
      for (int t = config.prefixTokens(); t < tokens.length; t++) {
        for (int d = 0; d < config.width(); d++) {
          sum += (t + 2 * d + block) * tokens[t][d];
        }
        sum += config.attendsByClass() ? 0 : 100 * (t + block) * plain.firstRows.get(block)[t];
      }
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(strings = {SIZE + ",distilled=true", DEIT3, CAIT, MAE, CLIP})
  void forward_featuresOfBlocks_equalThePlainOnesWithTheirGradients(String model)
      throws IOException {
    VitConfig config = ModelZoo.parse(model);
    Path file = weights(config);
    double[][] patches = patches(config, SOME.length);
    List<Integer> blocks = List.of(0, config.depth() - 1);
    FeatureLayers wanted = new FeatureLayers(blocks, config.attendsByClass() ? List.of() : blocks);
    try (VisionTransformer real =
            VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.TRAINABLE);
        Gradients gradients = new Gradients(List.copyOf(real.parameters().values()));
        GradMode on = GradMode.on()) {
      PlainVit plain = new PlainVit(config, values, AttentionRow.LAST_CLASS);
      double[] logits = plain.logits(patches, SOME);

      VitOutput found = real.forward(array(patches), places(SOME), null, null, wanted);

      assertThat(Golden.off(Tensors.floats(found.logits()), floats(logits))).isLessThan(1e-5);
      int prefix = config.prefixTokens();
      List<NDArray> terms = new ArrayList<>();
      for (int i = 0; i < blocks.size(); i++) {
        int block = blocks.get(i);
        NDArray tokens = found.features().tokens().get(i);
        float[] weighs = new float[SOME.length * config.width()];
        for (int t = 0; t < SOME.length; t++) {
          float[] row = Tensors.floats(tokens.get("0, {}", t));
          double[] expected = plain.tokens.get(block)[prefix + t];
          assertThat(Golden.off(row, floats(expected))).isLessThan(1e-5);
          for (int d = 0; d < config.width(); d++) {
            weighs[t * config.width() + d] = prefix + t + 2 * d + block;
          }
        }
        terms.add(
            Ops.innerProduct(
                tokens, Tensors.of(scope.manager(), weighs, 1, SOME.length, config.width())));
        if (!wanted.attention().isEmpty()) {
          NDArray rows = found.features().attention().get(i);
          float[] expected = new float[SOME.length];
          float[] more = new float[SOME.length];
          for (int t = 0; t < SOME.length; t++) {
            expected[t] = (float) plain.firstRows.get(block)[prefix + t];
            more[t] = 100 * (prefix + t + block);
          }
          assertThat(Golden.off(Tensors.floats(rows), expected)).isLessThan(1e-5);
          terms.add(Ops.innerProduct(rows, Tensors.of(scope.manager(), more, 1, SOME.length)));
        }
      }
      double[] ones = terms.stream().mapToDouble(term -> 1).toArray();
      Gradients.backward(
          Ops.weightedSum(terms, ones), Tensors.of(scope.manager(), new float[] {1}));
      SplittableRandom random = new SplittableRandom(11);
      int number = 0;
      for (Map.Entry<String, double[]> parameter : values.entrySet()) {
        float[] gradient = Tensors.floats(gradients.of(number++));
        int index = random.nextInt(gradient.length);
        double[] weight = parameter.getValue();
        double before = weight[index];
        double[] sides = new double[2];
        for (int side = 0; side < 2; side++) {
          weight[index] = before + (side == 0 ? 1e-4 : -1e-4);
          PlainVit moved = new PlainVit(config, values, AttentionRow.LAST_CLASS);
          moved.logits(patches, SOME);
          sides[side] = weighed(moved, config, blocks);
        }
        weight[index] = before;
        double slope = (sides[0] - sides[1]) / 2e-4;
        assertThat((double) gradient[index])
            .as("%s[%d]", parameter.getKey(), index)
            .isCloseTo(slope, within(1e-2 + 1e-3 * Math.abs(slope)));
      }
    }
  }

  @Test
  void features_thatAModelHasNot_areRefused() {
    VitConfig deit = ModelZoo.parse(SIZE);
    assertThatThrownBy(() -> new FeatureLayers(List.of(3), List.of()).requireIn(deit))
        .hasMessageContaining("tokens of blocks [3]")
        .hasMessageContaining("0 to 2");
    assertThatThrownBy(() -> new FeatureLayers(List.of(), List.of(1, 1)).requireIn(deit))
        .hasMessageContaining("attention of blocks [1, 1]");
    assertThatThrownBy(
            () -> new FeatureLayers(List.of(), List.of(0)).requireIn(ModelZoo.parse(CAIT)))
        .hasMessageContaining("enters after the blocks");
  }

  @Test
  void attention_thatAModelHasNot_isRefused() {
    VitConfig deit = ModelZoo.parse(SIZE);
    assertThatThrownBy(() -> new AttentionRow(AttentionRow.From.CLASS, 3).requireIn(deit))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("layer 3", "-3 to 2");
    assertThatThrownBy(
            () -> new AttentionRow(AttentionRow.From.PATCHES, -1).requireIn(ModelZoo.parse(CAIT)))
        .hasMessageContaining("class-blocks");
  }

  @ParameterizedTest
  @ValueSource(strings = {CAIT, MAE, CLIP, CLIP + ",text-width=8"})
  void backward_newFamilies_equalsDifferencesOfThePlainOne(String model) throws IOException {
    VitConfig config = ModelZoo.parse(model);
    Path file = weights(config);
    double[][] patches = patches(config, SOME.length);
    double[] weighs = {1, -2, 3, -1, 0.5};
    try (VisionTransformer real =
            VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.TRAINABLE);
        Gradients gradients = new Gradients(List.copyOf(real.parameters().values()));
        GradMode on = GradMode.on()) {
      VitOutput out = real.forward(array(patches), places(SOME));
      Gradients.backward(
          out.logits(), Tensors.of(scope.manager(), floats(weighs), 1, weighs.length));
      SplittableRandom random = new SplittableRandom(7);
      int number = 0;
      for (Map.Entry<String, double[]> parameter : values.entrySet()) {
        float[] gradient = Tensors.floats(gradients.of(number++));
        int index = random.nextInt(gradient.length);
        double[] weight = parameter.getValue();
        double before = weight[index];
        double step = 1e-4;
        weight[index] = before + step;
        double above = weighed(config, patches, weighs);
        weight[index] = before - step;
        double below = weighed(config, patches, weighs);
        weight[index] = before;
        double slope = (above - below) / (2 * step);
        assertThat((double) gradient[index])
            .as("%s[%d]", parameter.getKey(), index)
            .isCloseTo(slope, within(1e-3 + 1e-3 * Math.abs(slope)));
      }
    }
  }

  private double weighed(VitConfig config, double[][] patches, double[] weighs) {
    double[] logits = new PlainVit(config, values, AttentionRow.LAST_CLASS).logits(patches, SOME);
    double sum = 0;
    for (int c = 0; c < logits.length; c++) {
      sum += weighs[c] * logits[c];
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(strings = {SIZE, SIZE + ",distilled=true", CAIT, MAE})
  void backward_headAlone_isTheHeadsPartOfTheWholeGradient(String model) throws IOException {
    VitConfig config = ModelZoo.parse(model);
    Path file = weights(config);
    float[] weighs = {1, -2, 3, -1, 0.5f};
    try (VisionTransformer whole =
            VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.TRAINABLE);
        VisionTransformer head =
            VisionTransformer.load(
                config, file, Precision.FP32, VisionTransformer.Mode.TRAINABLE_HEAD);
        Gradients ofWhole = new Gradients(List.copyOf(whole.trained().values()));
        Gradients ofHead = new Gradients(List.copyOf(head.trained().values()));
        GradMode on = GradMode.on()) {
      assertThat(head.trained().keySet()).isNotEmpty().allMatch(ParameterShapes::isHead);
      assertThat(whole.trained().keySet()).isEqualTo(whole.parameters().keySet());
      for (VisionTransformer each : List.of(whole, head)) {
        Gradients.backward(
            each.forward(array(patches(config, SOME.length)), places(SOME)).logits(),
            Tensors.of(scope.manager(), weighs, 1, weighs.length));
      }
      List<String> names = List.copyOf(whole.trained().keySet());
      int number = 0;
      for (String name : head.trained().keySet()) {
        float[] expected = Tensors.floats(ofWhole.of(names.indexOf(name)));
        assertThat(Golden.off(Tensors.floats(ofHead.of(number++)), expected))
            .as(name)
            .isLessThan(1e-5);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {CAIT, MAE, CLIP})
  void forward_bfloat16_isNearFloat32(String model) throws IOException {
    VitConfig config = ModelZoo.parse(model);
    Path file = weights(config);
    try (VisionTransformer exact =
            VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.FROZEN);
        VisionTransformer rounded =
            VisionTransformer.load(config, file, Precision.BF16, VisionTransformer.Mode.FROZEN)) {
      NDArray patches = array(patches(config, ALL.length));
      assertThat(
              Golden.off(
                  Tensors.floats(rounded.forward(patches).logits()),
                  Tensors.floats(exact.forward(patches).logits())))
          .isPositive()
          .isLessThan(0.05);
    }
  }

  @Test
  void traits_thatDoNotGoTogether_areRefusedNamingThem() {
    assertThatThrownBy(() -> ModelZoo.parse(SIZE + ",distilled=true,pool=mean"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("distilled=true", "pool=mean");
    assertThatThrownBy(() -> ModelZoo.parse(SIZE + ",class-blocks=2"))
        .hasMessageContainingAll("class-blocks=2", "layer-scale=true");
    assertThatThrownBy(() -> ModelZoo.parse(SIZE + ",pool=max"))
        .hasMessageContainingAll("pool=max", "class, mean");
  }
}
