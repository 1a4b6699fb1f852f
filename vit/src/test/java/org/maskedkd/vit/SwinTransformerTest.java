package org.maskedkd.vit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.VisionTransformer.Mode;

/** Swin transformers against {@link PlainSwin}, closed forms, and files of both kinds of names. */
final class SwinTransformerTest {
  private static final String TINY = "swin_tiny_patch4_window7_224";

  /** One window in the end, as in the published model. */
  private static final String ONE =
      "swin:image=16,patch=2,width=8,depths=2/2,heads=2/4,window=4,classes=5";

  /** Several windows in the end, shifted. */
  private static final String SEVERAL =
      "swin:image=12,patch=1,width=6,depths=1/2,heads=3/2,window=3,classes=5,channels=1,mean=0,std=1";

  /** A window that is larger than the last grid. */
  private static final String LARGE =
      "swin:image=16,patch=2,width=4,depths=2/1/1,heads=1/2/2,window=4,classes=5";

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

  private static SwinConfig config(String text) {
    return (SwinConfig) ModelConfig.parse(text);
  }

  /** Writes a file of random weights under other names, and keeps them in {@link #values}. */
  private Path weights(SwinConfig config, UnaryOperator<String> names) throws IOException {
    SplittableRandom random = new SplittableRandom(5);
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    ParameterShapes.of(config)
        .forEach(
            (name, shape) -> {
              int size = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
              float[] drawn = new float[size];
              boolean norm = name.contains("norm") && name.endsWith("weight");
              for (int i = 0; i < size; i++) {
                drawn[i] = (float) ((norm ? 1 : 0) + random.nextDouble(-0.5, 0.5));
              }
              values.put(name, doubles(drawn));
              entries.add(
                  SafetensorsWriter.Entry.floats(
                      names.apply(name), SafetensorsType.F32, shape, () -> drawn));
            });
    Path file = folder.resolve("model.safetensors");
    SafetensorsWriter.write(file, Map.of(), entries);
    return file;
  }

  private static double[] doubles(float[] floats) {
    double[] doubles = new double[floats.length];
    for (int i = 0; i < doubles.length; i++) {
      doubles[i] = floats[i];
    }
    return doubles;
  }

  private static float[] floats(double[] doubles) {
    float[] floats = new float[doubles.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) doubles[i];
    }
    return floats;
  }

  private static double[][] patches(SwinConfig config) {
    SplittableRandom random = new SplittableRandom(6);
    double[][] patches = new double[config.patches()][config.patchValues()];
    for (double[] patch : patches) {
      Arrays.setAll(patch, i -> (float) random.nextDouble(-2, 2));
    }
    return patches;
  }

  private NDArray array(double[][] patches) {
    float[] flat = floats(Arrays.stream(patches).flatMapToDouble(Arrays::stream).toArray());
    return Tensors.of(scope.manager(), flat, 1, patches.length, patches[0].length);
  }

  /** Two for each block. */
  private static double[] ones(SwinConfig config) {
    double[] ones = new double[2 * config.depth()];
    Arrays.fill(ones, 1);
    return ones;
  }

  @ParameterizedTest
  @ValueSource(strings = {ONE, SEVERAL, LARGE})
  void forward_anyGrid_equalsThePlainOne(String model) throws IOException {
    SwinConfig config = config(model);
    Path file = weights(config, UnaryOperator.identity());
    double[][] patches = patches(config);
    PlainSwin plain = new PlainSwin(config, values);
    float[] expected = floats(plain.logits(patches, ones(config)));
    for (Mode mode : Mode.values()) {
      try (ImageModel real = ImageModel.load(config, file, Precision.FP32, mode);
          GradMode on = GradMode.on()) {
        VitOutput out = real.forward(array(patches), null, null, AttentionRow.LAST_CLASS);

        assertThat(Golden.off(Tensors.floats(out.logits()), expected)).isLessThan(1e-5);
        NDArray attention = requireNonNull(out.attention());
        int places = config.gridRows() * config.gridColumns();
        int heads = plain.received.length;
        assertThat(attention.getShape().getShape()).containsExactly(1, heads, places);
        float[] received =
            floats(Arrays.stream(plain.received).flatMapToDouble(Arrays::stream).toArray());
        assertThat(Golden.off(Tensors.floats(attention), received)).isLessThan(1e-5);
        // Each place has one look to give away, so what all receive is one window's mean of them.
        float[] saliency = Saliency.of(Tensors.floats(attention), heads, 0);
        double windows = (double) places / Math.pow(config.window(config.stages() - 1), 2);
        double sum = 0;
        for (float score : saliency) {
          sum += score;
        }
        assertThat(sum).isCloseTo(windows, within(1e-4));
        assertThat(Tensors.isRecorded(out.logits())).isEqualTo(mode != Mode.FROZEN);
        assertThat(Tensors.isRecorded(attention)).isFalse();
      }
    }
  }

  @Test
  void forward_branchesScaledPerSample_equalsThePlainOne() throws IOException {
    SwinConfig config = config(ONE);
    Path file = weights(config, UnaryOperator.identity());
    double[][] patches = patches(config);
    float[][] drops = DropPath.scales(1, 4, 0, 8, config, 0.5);
    NDArray one = array(patches);
    try (ImageModel real = ImageModel.load(config, file, Precision.FP32, Mode.TRAINABLE);
        GradMode off = GradMode.off()) {
      NDArray batch = one.repeat(0, 8);
      float[] logits = Tensors.floats(real.forward(batch, null, drops, null).logits());
      for (int sample = 0; sample < 8; sample++) {
        double[] scales = new double[2 * config.depth()];
        for (int branch = 0; branch < scales.length; branch++) {
          scales[branch] = requireNonNull(drops)[branch][sample];
        }
        float[] expected = floats(new PlainSwin(config, values).logits(patches, scales));
        float[] own = Arrays.copyOfRange(logits, sample * 5, sample * 5 + 5);
        assertThat(Golden.off(own, expected)).as("sample %d", sample).isLessThan(1e-5);
      }
      assertThat(Arrays.stream(requireNonNull(drops)).mapToDouble(d -> d[3]).toArray()).contains(0);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {SEVERAL, LARGE})
  void backward_everyParameter_equalsDifferencesOfThePlainOne(String model) throws IOException {
    SwinConfig config = config(model);
    Path file = weights(config, UnaryOperator.identity());
    double[][] patches = patches(config);
    double[] weighs = {1, -2, 3, -1, 0.5};
    try (ImageModel real = ImageModel.load(config, file, Precision.FP32, Mode.TRAINABLE);
        Gradients gradients = new Gradients(List.copyOf(real.parameters().values()));
        GradMode on = GradMode.on()) {
      VitOutput out = real.forward(array(patches), null, null, AttentionRow.LAST_CLASS);
      Gradients.backward(out.logits(), Tensors.of(scope.manager(), floats(weighs), 1, 5));
      SplittableRandom random = new SplittableRandom(7);
      int number = 0;
      for (Map.Entry<String, double[]> parameter : values.entrySet()) {
        float[] gradient = Tensors.floats(gradients.of(number++));
        double[] weight = parameter.getValue();
        int index = random.nextInt(weight.length);
        double before = weight[index];
        double step = 1e-5;
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

  private double weighed(SwinConfig config, double[][] patches, double[] weighs) {
    double[] logits = new PlainSwin(config, values).logits(patches, ones(config));
    double sum = 0;
    for (int c = 0; c < logits.length; c++) {
      sum += weighs[c] * logits[c];
    }
    return sum;
  }

  @Test
  void forward_bfloat16_isNearFloat32() throws IOException {
    SwinConfig config = config(ONE);
    Path file = weights(config, UnaryOperator.identity());
    NDArray patches = array(patches(config));
    try (ImageModel exact = ImageModel.load(config, file, Precision.FP32, Mode.TRAINABLE);
        ImageModel rounded = ImageModel.load(config, file, Precision.BF16, Mode.TRAINABLE);
        Gradients gradients = new Gradients(List.copyOf(rounded.trained().values()));
        GradMode on = GradMode.on()) {
      VitOutput found = rounded.forward(patches, null, null, AttentionRow.LAST_CLASS);
      VitOutput expected = exact.forward(patches, null, null, AttentionRow.LAST_CLASS);
      assertThat(Golden.off(Tensors.floats(found.logits()), Tensors.floats(expected.logits())))
          .isPositive()
          .isLessThan(0.05);
      assertThat(
              Golden.off(
                  Tensors.floats(requireNonNull(found.attention())),
                  Tensors.floats(requireNonNull(expected.attention()))))
          .isLessThan(0.05);
      Gradients.backward(
          found.logits(), Tensors.of(scope.manager(), new float[] {1, 0, 0, 0, 0}, 1, 5));
      assertThat(gradients.norm()).isFinite().isPositive();
    }
  }

  @Test
  void forward_modelMadeInAScopeThatEnded_isTheSame() {
    SwinConfig config = config(LARGE);
    NDArray patches = array(patches(config));
    ImageModel made;
    try (Scope inner = Scope.open()) {
      made = ImageModel.initialised(config, 1, Precision.FP32, Mode.FROZEN);
    }
    try (made;
        ImageModel other = ImageModel.initialised(config, 1, Precision.FP32, Mode.FROZEN)) {
      assertThat(Tensors.floats(made.forward(patches, null, null, null).logits()))
          .isEqualTo(Tensors.floats(other.forward(patches, null, null, null).logits()));
    }
  }

  @Test
  void trained_headAlone_isTheHead() {
    SwinConfig config = config(ONE);
    try (ImageModel model =
        ImageModel.initialised(config, 1, Precision.FP32, Mode.TRAINABLE_HEAD)) {
      assertThat(model.trained().keySet()).containsExactly("head.fc.weight", "head.fc.bias");
      assertThat(Tensors.floats(requireNonNull(model.parameters().get("patch_embed.norm.weight"))))
          .containsOnly(1);
    }
  }

  @Test
  void swinTiny_parameters_areAsManyAsPublished() {
    SwinConfig config = config(TINY);
    assertThat(Footprint.weights(config) / Float.BYTES).isEqualTo(28_288_354);
    assertThat(List.of(config.gridRows(), config.gridColumns())).containsExactly(7, 7);
  }

  @Test
  void parameters_ofEachLayer_areNumberedThroughTheStages() {
    try (ImageModel model = ImageModel.initialised(config(LARGE), 1, Precision.FP32, Mode.FROZEN)) {
      assertThat(model.layer("patch_embed.norm.weight")).isZero();
      assertThat(model.layer("layers.0.blocks.1.norm1.bias")).isEqualTo(2);
      assertThat(model.layer("layers.1.downsample.reduction.weight")).isEqualTo(3);
      assertThat(model.layer("layers.1.blocks.0.mlp.fc1.weight")).isEqualTo(3);
      assertThat(model.layer("layers.2.blocks.0.attn.proj.bias")).isEqualTo(4);
      assertThat(model.layer("head.fc.weight")).isEqualTo(5).isEqualTo(model.layers());
      assertThat(model.decays("layers.1.downsample.reduction.weight")).isTrue();
      assertThat(model.decays("layers.0.blocks.0." + SwinShapes.TABLE)).isFalse();
      assertThat(model.decays("layers.0.blocks.0.attn.qkv.bias")).isFalse();
    }
  }

  /** The merging at the end of a stage, the head without a name of its own. */
  private static String older(String name) {
    return name.startsWith("layers.") && name.contains(".downsample.")
        ? "layers."
            + (Integer.parseInt(name.substring(7, 8)) - 1)
            + name.substring(name.indexOf(".downsample."))
        : name.replace("head.fc.", "head.");
  }

  @Test
  void load_olderNames_areTheSameModel() throws IOException {
    SwinConfig config = config(LARGE);
    String digest = digest(config, weights(config, UnaryOperator.identity()));
    assertThat(digest(config, weights(config, SwinTransformerTest::older))).isEqualTo(digest);
    assertThat(digest(config, weights(config, name -> "module." + older(name)))).isEqualTo(digest);
  }

  @Test
  void load_olderFileWithItsBuffers_leavesThemOut() throws IOException {
    SwinConfig config = config(ONE);
    Path file = weights(config, SwinTransformerTest::older);
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      for (String name : open.names()) {
        float[] read = open.readFloats(name);
        entries.add(
            SafetensorsWriter.Entry.floats(
                name, SafetensorsType.F32, open.shape(name), () -> read));
      }
    }
    for (String buffer : List.of("attn.relative_position_index", "attn_mask")) {
      entries.add(
          SafetensorsWriter.Entry.floats(
              "layers.0.blocks.1." + buffer,
              SafetensorsType.F32,
              new long[] {1},
              () -> new float[1]));
    }
    Path withBuffers = folder.resolve("buffers.safetensors");
    SafetensorsWriter.write(withBuffers, Map.of(), entries);
    assertThat(digest(config, withBuffers)).isEqualTo(digest(config, file));
  }

  private static String digest(SwinConfig config, Path file) {
    try (ImageModel model = ImageModel.load(config, file, Precision.FP32, Mode.FROZEN)) {
      return model.digest();
    }
  }

  @Test
  void adapted_otherClasses_drawsAHead() throws IOException {
    Path file = weights(config(ONE), UnaryOperator.identity());
    SwinConfig seven = config(ONE).withClasses(7);
    try (ImageModel model = ImageModel.adapted(seven, file, 1, Precision.FP32, Mode.TRAINABLE)) {
      assertThat(model.notices()).singleElement().asString().contains("head", "5 classes", "7");
      assertThat(requireNonNull(model.parameters().get("head.fc.bias")).size()).isEqualTo(7);
    }
  }

  @Test
  void save_restore_keepsEveryValueAndSaysWhatItIs() throws IOException {
    SwinConfig config = config(SEVERAL);
    Path file = folder.resolve("saved.safetensors");
    try (ImageModel first = ImageModel.initialised(config, 1, Precision.FP32, Mode.FROZEN);
        ImageModel second = ImageModel.initialised(config, 2, Precision.FP32, Mode.FROZEN)) {
      first.save(file, SafetensorsType.F32, Map.of());
      assertThat(second.digest()).isNotEqualTo(first.digest());
      second.restore(file);
      assertThat(second.digest()).isEqualTo(first.digest());
    }
    assertThat(ModelInference.of(file).config()).isEqualTo(config);
  }

  @Test
  void auto_namesAlone_inferTheModel() throws IOException {
    SwinConfig config = config(ONE);
    for (UnaryOperator<String> names :
        List.<UnaryOperator<String>>of(UnaryOperator.identity(), SwinTransformerTest::older)) {
      ModelInference found = ModelInference.of(weights(config, names));
      assertThat(found.config()).isEqualTo(config);
      assertThat(found.notice()).contains("assumed", "one window");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {TINY, TINY + ":classes=10", ONE, SEVERAL})
  void canonical_parsed_equalsTheConfig(String text) {
    SwinConfig config = config(text);
    assertThat(ModelConfig.parse(config.canonical())).isEqualTo(config);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "swin_tiny_patch4_window7_242 | did you mean 'swin_tiny_patch4_window7_224'",
        TINY + ":depth=3 | did you mean 'depths'",
        TINY + ":image=256 | stage 0 has 64x64 tokens, which windows of 7 do not fill",
        TINY + ":image=252 | not a multiple of 8",
        TINY + ":heads=3/6/12 | 4 depths and 3 heads",
        TINY + ":heads=3/5/12/24 | width 192 is not a multiple of heads 5",
        TINY + ":depths=2/2/0/2 | depths [2, 2, 0, 2]",
        TINY + ":patch=0 | patch 0",
        TINY + ":window=0 | window 0",
        TINY + ":window=a | window=a is not an integer",
        "swin:image=32 | key 'patch' is missing",
      })
  void parse_wrong_saysWhatAndWhatWouldBeRight(String text, String message) {
    assertThatThrownBy(() -> ModelConfig.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void swin_wherePatchesAreLeftOut_isRefusedWithTheReason() throws IOException {
    assertThatThrownBy(() -> ModelZoo.parse(TINY))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(TINY, "windows need every patch", "teacher");
    SwinConfig config = config(ONE);
    Path file = weights(config, UnaryOperator.identity());
    assertThatThrownBy(() -> ModelInference.of(file).vit())
        .hasMessageContaining("windows need every patch");
    try (ImageModel model = ImageModel.load(config, file, Precision.FP32, Mode.FROZEN)) {
      NDArray kept = Tensors.of(scope.manager(), new long[config.patches()], 1, config.patches());
      assertThatThrownBy(() -> model.forward(array(patches(config)), kept, null, null))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("whole images");
      assertThatThrownBy(
              () ->
                  model.forward(
                      array(patches(config)),
                      null,
                      null,
                      new AttentionRow(AttentionRow.From.CLASS, 1)))
          .hasMessageContainingAll("layer 1", "-1 or 3");
    }
  }
}
