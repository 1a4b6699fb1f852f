package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;

/** The same weights under other names, and what is inferred from names and shapes alone. */
final class NamedTensorsTest {
  private static final String SIZE =
      "vit:image=48x48,patch=16,width=128,depth=2,heads=2,classes=10";

  @TempDir private Path folder;

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  private static VisionTransformer model(VitConfig config) {
    return VisionTransformer.initialised(config, 3, Precision.FP32, VisionTransformer.Mode.FROZEN);
  }

  private String digest(VitConfig config, Path file) {
    try (VisionTransformer loaded =
        VisionTransformer.load(config, file, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      return loaded.digest();
    }
  }

  /** Writes the model's tensors under other names, those of null left out. */
  private Path renamed(VitConfig config, UnaryOperator<String> names) throws IOException {
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    Initialiser values = new Initialiser(config, 3);
    ParameterShapes.of(config)
        .forEach(
            (name, shape) -> {
              String other = names.apply(name);
              if (other != null) {
                entries.add(
                    SafetensorsWriter.Entry.floats(
                        other, SafetensorsType.F32, shape, () -> values.values(name, shape)));
              }
            });
    return written(entries);
  }

  private Path written(List<SafetensorsWriter.Entry> entries) throws IOException {
    Path file = folder.resolve("weights.safetensors");
    SafetensorsWriter.write(file, Map.of(), entries);
    return file;
  }

  /** As Hugging Face's DeiT and ViT write them: queries, keys and values apart. */
  private Path huggingFace(VitConfig config, String before) throws IOException {
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    Initialiser values = new Initialiser(config, 3);
    ParameterShapes.of(config)
        .forEach(
            (name, shape) -> {
              float[] all = values.values(name, shape);
              String layer = before + name.replaceFirst("blocks\\.(\\d+)\\.", "encoder.layer.$1.");
              if (name.contains("attn.qkv")) {
                long[] third = shape.clone();
                third[0] /= 3;
                int size = all.length / 3;
                List<String> parts = List.of("query", "key", "value");
                for (int i = 0; i < 3; i++) {
                  float[] part = Arrays.copyOfRange(all, i * size, (i + 1) * size);
                  entries.add(
                      SafetensorsWriter.Entry.floats(
                          layer.replace("attn.qkv", "attention.attention." + parts.get(i)),
                          SafetensorsType.F32,
                          third,
                          () -> part));
                }
                return;
              }
              String other =
                  layer
                      .replace("norm1", "layernorm_before")
                      .replace("norm2", "layernorm_after")
                      .replace("attn.proj", "attention.output.dense")
                      .replace("mlp.fc1", "intermediate.dense")
                      .replace("mlp.fc2", "output.dense")
                      .replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
                      .replace("cls_token", "embeddings.cls_token")
                      .replace("dist_token", "embeddings.distillation_token")
                      .replace("pos_embed", "embeddings.position_embeddings");
              if (name.startsWith("norm.")) {
                other = before + "layernorm" + name.substring(4);
              } else if (name.startsWith("head_dist.")) {
                other = "distillation_classifier" + name.substring(9);
              } else if (name.startsWith("head.")) {
                other = (config.distilled() ? "cls_classifier" : "classifier") + name.substring(4);
              }
              entries.add(
                  SafetensorsWriter.Entry.floats(other, SafetensorsType.F32, shape, () -> all));
            });
    entries.add(
        SafetensorsWriter.Entry.floats(
            before + "pooler.dense.bias", SafetensorsType.F32, new long[] {2}, () -> new float[2]));
    return written(entries);
  }

  private static final String CLIP =
      SIZE
          + ",act=quick-gelu,pre-norm=true,eps=1e-5"
          + ",mean=0.48145466/0.4578275/0.40821073,std=0.26862954/0.26130258/0.27577711";

  /**
   * As Hugging Face's CLIP writes them, with the tower of texts beside. A head of classes has none
   * of its names and is left out; the head of a model that compares with names is the projection,
   * without a bias.
   */
  private Path clip(VitConfig config) throws IOException {
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    Initialiser values = new Initialiser(config, 3);
    boolean names = config.traits().textWidth() > 0;
    ParameterShapes.of(config)
        .forEach(
            (name, shape) -> {
              if (name.equals("head.bias") || (name.equals("head.weight") && !names)) {
                return;
              }
              float[] all = values.values(name, shape);
              if (name.contains("attn.qkv")) {
                List<String> parts = List.of("q_proj", "k_proj", "v_proj");
                long[] third = shape.clone();
                third[0] /= 3;
                int size = all.length / 3;
                for (int i = 0; i < 3; i++) {
                  float[] part = Arrays.copyOfRange(all, i * size, (i + 1) * size);
                  entries.add(
                      SafetensorsWriter.Entry.floats(
                          clipName(name).replace("attn.qkv", "self_attn." + parts.get(i)),
                          SafetensorsType.F32,
                          third,
                          () -> part));
                }
                return;
              }
              long[] own =
                  name.equals("cls_token")
                      ? new long[] {shape[2]}
                      : name.equals("pos_embed") ? new long[] {shape[1], shape[2]} : shape;
              entries.add(
                  SafetensorsWriter.Entry.floats(
                      clipName(name), SafetensorsType.F32, own, () -> all));
            });
    for (String other :
        List.of(
            "logit_scale",
            "text_projection.weight",
            "text_model.final_layer_norm.bias",
            "vision_model.embeddings.position_ids")) {
      entries.add(
          SafetensorsWriter.Entry.floats(
              other, SafetensorsType.F32, new long[] {1}, () -> new float[1]));
    }
    if (!names) {
      entries.add(
          SafetensorsWriter.Entry.floats(
              "visual_projection.weight",
              SafetensorsType.F32,
              new long[] {2, 128},
              () -> new float[256]));
    }
    return written(entries);
  }

  private static String clipName(String name) {
    return switch (name) {
      case "cls_token" -> "vision_model.embeddings.class_embedding";
      case "pos_embed" -> "vision_model.embeddings.position_embedding.weight";
      case "patch_embed.proj.weight" -> "vision_model.embeddings.patch_embedding.weight";
      case "head.weight" -> "visual_projection.weight";
      case "text_embeddings" -> name;
      default ->
          "vision_model."
              + name.replace("norm_pre", "pre_layrnorm")
                  .replaceFirst("^norm\\.", "post_layernorm.")
                  .replace("blocks.", "encoder.layers.")
                  .replace("norm1", "layer_norm1")
                  .replace("norm2", "layer_norm2")
                  .replace("attn.proj", "self_attn.out_proj");
    };
  }

  @Test
  void load_clipsNamesOfHuggingFace_areTheSameWeights() throws IOException {
    VitConfig config = ModelZoo.parse(CLIP + ",text-width=8");
    Path file = clip(config);
    // The initialiser's biases are zero, and so is the one that the projection has not.
    try (VisionTransformer expected = model(config)) {
      assertThat(digest(config, file)).isEqualTo(expected.digest());
    }
    assertThat(ModelInference.of(file).config()).isEqualTo(config);
  }

  @Test
  void adapted_clipWithoutNamesOfClasses_getsAFreshHead() throws IOException {
    VitConfig config = ModelZoo.parse(CLIP);
    Path file = clip(config);
    ModelInference found = ModelInference.of(file);
    assertThat(found.config()).isEqualTo(config.withClasses(1000));
    assertThat(found.notice()).contains("1000 classes", "CLIP's activation", "CLIP's mean and std");
    try (VisionTransformer loaded =
            VisionTransformer.adapted(
                config, file, 3, Precision.FP32, VisionTransformer.Mode.FROZEN);
        VisionTransformer expected = model(config)) {
      assertThat(loaded.notices()).containsExactly(file + " has no head; it starts at random");
      assertThat(loaded.digest()).isEqualTo(expected.digest());
    }
  }

  @Test
  void infer_clipsConfigBeside_isReadOfItsImageTower() throws IOException {
    VitConfig config =
        ModelZoo.parse(
            CLIP.replace("heads=2", "heads=4").replace("eps=1e-5", "eps=1e-6") + ",text-width=8");
    Path file = clip(config);
    String vision = "\"num_attention_heads\": 4, \"layer_norm_eps\": 1e-6, \"hidden_act\": ";
    Path json = folder.resolve("config.json");
    Files.writeString(
        json, "{\"num_attention_heads\": 9, \"vision_config\": {%s\"gelu\"}}".formatted(vision));

    ModelInference found = ModelInference.of(file);

    assertThat(found.config().canonical())
        .isEqualTo(config.canonical().replace(",act=quick-gelu", ""));
    assertThat(found.notice()).doesNotContain("heads of", "eps,", "activation");

    Files.writeString(json, "{%s\"relu\"}".formatted(vision));
    assertThatThrownBy(() -> ModelInference.of(file))
        .isInstanceOf(WeightsException.class)
        .hasMessageContainingAll("hidden_act 'relu'", "quick_gelu");
  }

  @ParameterizedTest
  @ValueSource(strings = {"module.", "model.", "backbone.", "module.model.", "student."})
  void load_wrappedNames_areTheSameWeights(String wrapper) throws IOException {
    VitConfig config = ModelZoo.parse(SIZE);
    try (VisionTransformer expected = model(config)) {
      assertThat(digest(config, renamed(config, name -> wrapper + name)))
          .isEqualTo(expected.digest());
    }
  }

  @Test
  void load_olderNamesOfLayerScale_areTheSameWeights() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE + ",layer-scale=true,pos-covers-prefix=false");
    Path file = renamed(config, name -> name.replaceFirst("ls([12])\\.gamma", "gamma_$1"));
    try (VisionTransformer expected = model(config)) {
      assertThat(digest(config, file)).isEqualTo(expected.digest());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"vit.", "deit.", ""})
  void load_huggingFacesNames_areTheSameWeights(String before) throws IOException {
    for (String distilled : List.of("false", "true")) {
      VitConfig config = ModelZoo.parse(SIZE + ",distilled=" + distilled);
      try (VisionTransformer expected = model(config)) {
        assertThat(digest(config, huggingFace(config, before))).isEqualTo(expected.digest());
      }
    }
  }

  @Test
  void load_unknownTensor_isRefusedUnderItsOwnName() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE);
    Path file =
        renamed(config, name -> name.equals("norm.bias") ? "module.decoder" : "module." + name);
    assertThatThrownBy(() -> digest(config, file))
        .isInstanceOf(WeightsException.class)
        .hasMessageContainingAll("missing norm.bias", "unexpected module.decoder");
  }

  @Test
  void adapted_backboneWithoutAHead_getsAFreshOneAndSaysSo() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE);
    Path file = renamed(config, name -> name.startsWith("head.") ? null : name);
    try (VisionTransformer loaded =
        VisionTransformer.adapted(config, file, 3, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      assertThat(loaded.notices()).containsExactly(file + " has no head; it starts at random");
    }
    assertThatThrownBy(() -> digest(config, file)).hasMessageContaining("missing head.weight");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ",distilled=true",
        ",layer-scale=true,pos-covers-prefix=false",
        ",layer-scale=true,pos-covers-prefix=false,class-blocks=2",
        ",pool=mean",
        ",act=quick-gelu,pre-norm=true,eps=1e-5"
            + ",mean=0.48145466/0.4578275/0.40821073,std=0.26862954/0.26130258/0.27577711",
      })
  void infer_namesAndShapes_giveTheModel(String traits) throws IOException {
    VitConfig config = ModelZoo.parse(SIZE + traits);
    Path file = renamed(config, name -> "model." + name);

    ModelInference found = ModelInference.of(file);

    assertThat(found.config()).isEqualTo(config);
    assertThat(found.notice()).contains(file.toString(), config.canonical(), "assumed");
  }

  @Test
  void infer_configBeside_tellsWhatNoTensorDoes() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE.replace("heads=2", "heads=4") + ",eps=1e-12");
    Path file = huggingFace(config, "vit.");
    Files.writeString(
        folder.resolve("config.json"), "{\"num_attention_heads\": 4, \"layer_norm_eps\": 1e-12}");

    ModelInference found = ModelInference.of(file);

    assertThat(found.config()).isEqualTo(config);
    assertThat(found.notice()).doesNotContain("heads of", "eps,");
  }

  @Test
  void infer_fileOfOurs_saysItItself() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE.replace("48x48", "32x64"));
    Path file = folder.resolve("ours.safetensors");
    try (VisionTransformer model = model(config)) {
      model.save(file, SafetensorsType.F32, Map.of());
    }
    assertThat(ModelInference.of(file).config()).isEqualTo(config);
  }

  @Test
  void infer_somethingElse_isRefusedSayingWhatIsMissing() throws IOException {
    Path file =
        written(
            List.of(
                SafetensorsWriter.Entry.floats(
                    "conv1.weight", SafetensorsType.F32, new long[] {1}, () -> new float[1])));
    assertThatThrownBy(() -> ModelInference.of(file))
        .isInstanceOf(WeightsException.class)
        .hasMessageContainingAll("patch_embed.proj.weight", "name the model");
    assertThatThrownBy(() -> ModelInference.resolve("auto", null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("name the model");
  }

  @Test
  void load_sameParameterTwice_isRefusedNamingBoth() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE);
    Path file = renamed(config, name -> name.equals("norm.bias") ? "head.bias" : "model." + name);
    assertThatThrownBy(() -> digest(config, file))
        .isInstanceOf(WeightsException.class)
        .hasMessageContainingAll("model.head.bias", "head.bias", "same parameter");
  }

  @Test
  void infer_widthWithoutUsualHeads_isNotGuessed() throws IOException {
    VitConfig config = ModelZoo.parse(SIZE.replace("width=128", "width=96"));
    Path file = renamed(config, name -> name);
    assertThatThrownBy(() -> ModelInference.of(file))
        .isInstanceOf(WeightsException.class)
        .hasMessageContainingAll("96 features", "num_attention_heads");
  }
}
