package org.maskedkd.vit;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Every parameter of a model under timm's name, with its shape, in the order in which a forward
 * pass meets them.
 */
final class ParameterShapes {

  /** Embeddings of the classes' names. */
  static final String TEXT = "text_embeddings";

  private ParameterShapes() {}

  static Map<String, long[]> of(ModelConfig config) {
    return config instanceof SwinConfig swin ? SwinShapes.of(swin) : of((VitConfig) config);
  }

  private static Map<String, long[]> of(VitConfig c) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("cls_token", new long[] {1, 1, c.width()});
    if (c.distilled()) {
      shapes.put("dist_token", new long[] {1, 1, c.width()});
    }
    long positions = c.posCoversPrefix() ? c.tokens() : c.patches();
    shapes.put("pos_embed", new long[] {1, positions, c.width()});
    shapes.put(
        "patch_embed.proj.weight", new long[] {c.width(), c.channels(), c.patch(), c.patch()});
    if (c.traits().preNorm()) {
      norm(shapes, "norm_pre", c.width());
    } else {
      shapes.put("patch_embed.proj.bias", new long[] {c.width()});
    }
    for (int i = 0; i < c.depth(); i++) {
      String block = "blocks." + i + ".";
      norm(shapes, block + "norm1", c.width());
      linear(shapes, block + "attn.qkv", c.width(), 3L * c.width());
      if (c.attendsByClass()) {
        linear(shapes, block + "attn.proj_l", c.heads(), c.heads());
        linear(shapes, block + "attn.proj_w", c.heads(), c.heads());
      }
      branches(shapes, block, c);
    }
    for (int i = 0; i < c.traits().classBlocks(); i++) {
      String block = "blocks_token_only." + i + ".";
      norm(shapes, block + "norm1", c.width());
      for (String part : List.of("q", "k", "v")) {
        linear(shapes, block + "attn." + part, c.width(), c.width());
      }
      branches(shapes, block, c);
    }
    norm(shapes, lastNorm(c), c.width());
    linear(shapes, "head", c.width(), c.headWidth());
    if (c.distilled()) {
      linear(shapes, "head_dist", c.width(), c.classes());
    }
    if (c.traits().textWidth() > 0) {
      shapes.put(TEXT, new long[] {c.classes(), c.traits().textWidth()});
    }
    return Collections.unmodifiableMap(shapes);
  }

  /** What follows a block's attention. */
  private static void branches(Map<String, long[]> shapes, String block, VitConfig c) {
    linear(shapes, block + "attn.proj", c.width(), c.width());
    if (c.layerScale()) {
      shapes.put(block + layerScale(c, 1), new long[] {c.width()});
    }
    norm(shapes, block + "norm2", c.width());
    linear(shapes, block + "mlp.fc1", c.width(), c.mlpWidth());
    linear(shapes, block + "mlp.fc2", c.mlpWidth(), c.width());
    if (c.layerScale()) {
      shapes.put(block + layerScale(c, 2), new long[] {c.width()});
    }
  }

  /**
   * How timm calls the scale of a block's branch.
   *
   * @param branch 1 for attention, 2 for the MLP
   */
  static String layerScale(VitConfig c, int branch) {
    return c.attendsByClass() ? "gamma_" + branch : "ls" + branch + ".gamma";
  }

  /** The norm before the head. */
  static String lastNorm(VitConfig c) {
    return c.traits().pooling() == VitTraits.Pooling.MEAN ? "fc_norm" : "norm";
  }

  /** Whether the parameter is of the classifier, whose size follows the number of classes. */
  static boolean isHead(String name) {
    return name.startsWith("head.") || name.startsWith("head_dist.");
  }

  static void norm(Map<String, long[]> shapes, String name, long width) {
    shapes.put(name + ".weight", new long[] {width});
    shapes.put(name + ".bias", new long[] {width});
  }

  static void linear(Map<String, long[]> shapes, String name, long in, long out) {
    shapes.put(name + ".weight", new long[] {out, in});
    shapes.put(name + ".bias", new long[] {out});
  }
}
