package org.maskedkd.vit;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The architecture that a weights file is of, where nobody says it: from the file's own
 * description, else from the shapes of its tensors and a {@code config.json} beside it.
 *
 * @param config the architecture
 * @param notice what was found and what was assumed, for a person to read; empty if nothing was
 */
public record ModelInference(ModelConfig config, String notice) {

  /** What a user writes in a model's place. */
  public static final String AUTO = "auto";

  private static final int USUAL_HEAD_WIDTH = 64;
  private static final int USUAL_CLASSES = 1000;
  private static final int HUGE_WIDTH = 1280;
  private static final int HUGE_HEADS = 16;

  /**
   * What {@code model} stands for.
   *
   * @param model as {@link ModelConfig#parse} reads it, or {@value #AUTO}
   * @param weights the file that {@value #AUTO} looks at; null for random weights
   * @return without a notice unless something was inferred
   * @throws IllegalArgumentException if there is no such model, or nothing to infer it from
   */
  public static ModelInference resolve(String model, @Nullable Path weights) {
    if (!model.strip().equals(AUTO)) {
      return new ModelInference(ModelConfig.parse(model), "");
    }
    if (weights == null) {
      throw new IllegalArgumentException(
          "model '%s' is inferred from a file of weights, and there is none; name the model"
              .formatted(AUTO));
    }
    return of(weights);
  }

  /**
   * The architecture of a model that can leave patches out, as a teacher has to.
   *
   * @throws IllegalArgumentException if it cannot
   */
  public VitConfig vit() {
    if (config instanceof VitConfig vit) {
      return vit;
    }
    throw new IllegalArgumentException(SwinZoo.needsEveryPatch(config.canonical()));
  }

  /** The notice, if there is one. */
  public List<String> notices() {
    return notice.isEmpty() ? List.of() : List.of(notice);
  }

  /**
   * Reads the names and shapes of a file's tensors.
   *
   * @throws WeightsException if they are no vision transformer's that this release knows, naming
   *     what is missing
   */
  public static ModelInference of(Path weights) {
    try (NamedTensors tensors = NamedTensors.open(weights)) {
      var described = tensors.described();
      if (described.isPresent()) {
        return new ModelInference(
            described.get(),
            "%s says that it is %s".formatted(weights, described.get().canonical()));
      }
      return SwinInference.isOf(tensors)
          ? SwinInference.inferred(tensors)
          : inferred(tensors, besides(weights.resolveSibling("config.json")));
    }
  }

  private static ModelInference inferred(NamedTensors tensors, JsonNode said) {
    // Of a model of images and texts, what is said of its image tower.
    JsonNode json = said.path("vision_config").isObject() ? said.path("vision_config") : said;
    long[] projection = required(tensors, "patch_embed.proj.weight", 4);
    long[] positions = required(tensors, "pos_embed", 3);
    int width = (int) projection[0];
    int patch = (int) projection[2];
    boolean distilled = tensors.contains("dist_token");
    int classBlocks = tensors.blocks("blocks_token_only.");
    int prefix = distilled ? 2 : 1;
    boolean covers = square(positions[1]) < 0;
    long side = square(covers ? positions[1] - prefix : positions[1]);
    if (side < 0 || projection[3] != patch) {
      throw new WeightsException(
          "%s: %d positions of %dx%d pixels are no square image; name the model instead of '%s'"
              .formatted(tensors.path(), positions[1], patch, projection[3], AUTO));
    }
    int depth = tensors.depth();
    long[] mlp = required(tensors, "blocks.0.mlp.fc1.weight", 2);
    int heads = heads(tensors, json, width);
    long[] head = tensors.shapeOrNull("head.weight");
    long[] names = tensors.shapeOrNull(ParameterShapes.TEXT);
    int classes = names != null ? (int) names[0] : head != null ? (int) head[0] : USUAL_CLASSES;
    boolean clip = tensors.contains("norm_pre.weight");
    VitConfig likeDeit = ModelZoo.parse("deit_base_patch16_224");
    VitConfig statistics = clip ? ModelZoo.parse("clip_base_patch16_224") : likeDeit;
    VitConfig config =
        new VitConfig(
            (int) side * patch,
            (int) side * patch,
            patch,
            (int) projection[1],
            width,
            depth,
            heads,
            (int) mlp[0],
            classes,
            new VitTraits(
                distilled,
                tensors.contains("blocks.0.ls1.gamma"),
                covers,
                tensors.contains("fc_norm.weight")
                    ? VitTraits.Pooling.MEAN
                    : VitTraits.Pooling.CLASS,
                clip ? clipsActivation(tensors, json) : VitTraits.Activation.GELU,
                clip,
                classBlocks,
                names == null ? 0 : (int) names[1]),
            json.path("layer_norm_eps").asDouble(statistics.eps()),
            statistics.mean(),
            statistics.std());
    return new ModelInference(
        config,
        "the tensors of %s are of %s; %s"
            .formatted(tensors.path(), config.canonical(), assumed(tensors, json, config)));
  }

  private static int heads(NamedTensors tensors, JsonNode json, int width) {
    long[] mixed = tensors.shapeOrNull("blocks.0.attn.proj_l.weight");
    if (mixed != null) {
      return (int) mixed[0];
    }
    JsonNode said = json.path("num_attention_heads");
    if (said.canConvertToInt()) {
      return said.asInt();
    }
    if (width == HUGE_WIDTH) {
      return HUGE_HEADS;
    }
    if (width % USUAL_HEAD_WIDTH != 0) {
      throw new WeightsException(
          "%s: how many heads the %d features have no tensor tells, nor num_attention_heads in a config.json beside it; name the model instead of '%s'"
              .formatted(tensors.path(), width, AUTO));
    }
    return width / USUAL_HEAD_WIDTH;
  }

  private static VitTraits.Activation clipsActivation(NamedTensors tensors, JsonNode json) {
    String said = json.path("hidden_act").asText("quick_gelu");
    return switch (said) {
      case "quick_gelu" -> VitTraits.Activation.QUICK_GELU;
      case "gelu" -> VitTraits.Activation.GELU;
      default ->
          throw new WeightsException(
              "%s: the config.json beside it has hidden_act '%s', expected quick_gelu or gelu"
                  .formatted(tensors.path(), said));
    };
  }

  private static String assumed(NamedTensors tensors, JsonNode json, VitConfig config) {
    boolean clip = config.traits().preNorm();
    List<String> parts =
        List.of(
            json.path("num_attention_heads").canConvertToInt()
                    || tensors.contains("blocks.0.attn.proj_l.weight")
                ? ""
                : "heads of %d features".formatted(config.width() / config.heads()),
            json.path("layer_norm_eps").isNumber() ? "" : "eps",
            clip && !json.path("hidden_act").isTextual() ? "CLIP's activation" : "",
            (clip ? "CLIP's" : "ImageNet's") + " mean and std",
            tensors.contains("head.weight") ? "" : USUAL_CLASSES + " classes");
    return "assumed, since no tensor tells: "
        + String.join(", ", parts.stream().filter(part -> !part.isEmpty()).toList());
  }

  private static long[] required(NamedTensors tensors, String parameter, int axes) {
    long[] shape = tensors.shapeOrNull(parameter);
    if (shape == null || shape.length != axes) {
      throw new WeightsException(
          "%s: no vision transformer that is known here: it has no %s of %d axes; name the model instead of '%s'"
              .formatted(tensors.path(), parameter, axes, AUTO));
    }
    return shape;
  }

  /** The side of a square of so many, or -1. */
  private static long square(long count) {
    long side = Math.round(Math.sqrt((double) Math.max(0, count)));
    return side > 0 && side * side == count ? side : -1;
  }

  private static JsonNode besides(Path file) {
    if (!Files.isRegularFile(file)) {
      return MissingNode.getInstance();
    }
    try {
      return new ObjectMapper().readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new WeightsException("%s: is no JSON: %s".formatted(file, e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new WeightsException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }
}
