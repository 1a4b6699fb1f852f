package org.maskedkd.vit;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Every parameter of a model under timm's name, with its shape, in the order in which a forward
 * pass meets them.
 */
final class ParameterShapes {

  private ParameterShapes() {}

  static Map<String, long[]> of(VitConfig c) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("cls_token", new long[] {1, 1, c.width()});
    if (c.distilled()) {
      shapes.put("dist_token", new long[] {1, 1, c.width()});
    }
    long positions = c.posCoversPrefix() ? c.tokens() : c.patches();
    shapes.put("pos_embed", new long[] {1, positions, c.width()});
    shapes.put(
        "patch_embed.proj.weight", new long[] {c.width(), c.channels(), c.patch(), c.patch()});
    shapes.put("patch_embed.proj.bias", new long[] {c.width()});
    for (int i = 0; i < c.depth(); i++) {
      String block = "blocks." + i + ".";
      norm(shapes, block + "norm1", c.width());
      linear(shapes, block + "attn.qkv", c.width(), 3L * c.width());
      linear(shapes, block + "attn.proj", c.width(), c.width());
      if (c.layerScale()) {
        shapes.put(block + "ls1.gamma", new long[] {c.width()});
      }
      norm(shapes, block + "norm2", c.width());
      linear(shapes, block + "mlp.fc1", c.width(), c.mlpWidth());
      linear(shapes, block + "mlp.fc2", c.mlpWidth(), c.width());
      if (c.layerScale()) {
        shapes.put(block + "ls2.gamma", new long[] {c.width()});
      }
    }
    norm(shapes, "norm", c.width());
    linear(shapes, "head", c.width(), c.classes());
    if (c.distilled()) {
      linear(shapes, "head_dist", c.width(), c.classes());
    }
    return Collections.unmodifiableMap(shapes);
  }

  /** Whether the parameter is of the classifier, whose size follows the number of classes. */
  static boolean isHead(String name) {
    return name.startsWith("head.") || name.startsWith("head_dist.");
  }

  private static void norm(Map<String, long[]> shapes, String name, long width) {
    shapes.put(name + ".weight", new long[] {width});
    shapes.put(name + ".bias", new long[] {width});
  }

  private static void linear(Map<String, long[]> shapes, String name, long in, long out) {
    shapes.put(name + ".weight", new long[] {out, in});
    shapes.put(name + ".bias", new long[] {out});
  }
}
