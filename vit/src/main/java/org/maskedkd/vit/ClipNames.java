package org.maskedkd.vit;

import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What Hugging Face calls the parameters of CLIP's image tower. */
final class ClipNames {
  static final String PROJECTION = "vision_model.embeddings.patch_embedding.weight";

  /** What the names of all blocks' parameters begin with. */
  static final String BLOCKS = "vision_model.encoder.layers.";

  /** The tower of texts, and what is computed from it. */
  private static final Pattern UNUSED =
      Pattern.compile(
          "text_model\\..*|text_projection\\..*|visual_projection\\..*|logit_scale|.*position_ids");

  private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+)\\.(.*)\\.(weight|bias)");

  // Their spelling of the first norm is their own.
  private static final Map<String, String> OUTSIDE =
      Map.of(
          "cls_token", "vision_model.embeddings.class_embedding",
          "pos_embed", "vision_model.embeddings.position_embedding.weight",
          "patch_embed.proj.weight", PROJECTION,
          "norm_pre.weight", "vision_model.pre_layrnorm.weight",
          "norm_pre.bias", "vision_model.pre_layrnorm.bias",
          "norm.weight", "vision_model.post_layernorm.weight",
          "norm.bias", "vision_model.post_layernorm.bias");

  private static final Map<String, List<String>> INSIDE =
      Map.of(
          "norm1", List.of("layer_norm1"),
          "norm2", List.of("layer_norm2"),
          "attn.qkv", List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
          "attn.proj", List.of("self_attn.out_proj"),
          "mlp.fc1", List.of("mlp.fc1"),
          "mlp.fc2", List.of("mlp.fc2"));

  private ClipNames() {}

  /**
   * The names of a parameter's parts, one after another along the first axis.
   *
   * @param comparesNames whether the head is the projection to the texts' space; a linear head of
   *     classes has no name of theirs
   */
  static List<String> of(String parameter, boolean comparesNames) {
    if (comparesNames && parameter.equals("head.weight")) {
      return List.of("visual_projection.weight");
    }
    Matcher block = BLOCK.matcher(parameter);
    List<String> inside = block.matches() ? INSIDE.get(block.group(2)) : null;
    return inside == null
        ? List.of(OUTSIDE.getOrDefault(parameter, parameter))
        : inside.stream()
            .map(part -> BLOCKS + "%s.%s.%s".formatted(block.group(1), part, block.group(3)))
            .toList();
  }

  /** The shape under timm's name: tokens and positions have axes of one before their own. */
  static long[] shape(String parameter, long[] own) {
    if (parameter.equals("cls_token") && own.length == 1) {
      return new long[] {1, 1, own[0]};
    }
    if (parameter.equals("pos_embed") && own.length == 2) {
      return new long[] {1, own[0], own[1]};
    }
    return own;
  }

  /** What the image tower does not read, unless the head is the projection. */
  static boolean isUnused(String name) {
    return UNUSED.matcher(name).matches();
  }
}
