package org.maskedkd.vit;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Every parameter of a Swin transformer under timm's name of today, with its shape, in the order in
 * which a forward pass meets them.
 */
final class SwinShapes {

  /** The bias of each pair of relative places in a window, per head. */
  static final String TABLE = "attn.relative_position_bias_table";

  private SwinShapes() {}

  static Map<String, long[]> of(SwinConfig c) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put(
        "patch_embed.proj.weight", new long[] {c.width(), c.channels(), c.patch(), c.patch()});
    shapes.put("patch_embed.proj.bias", new long[] {c.width()});
    ParameterShapes.norm(shapes, "patch_embed.norm", c.width());
    for (int stage = 0; stage < c.stages(); stage++) {
      long width = c.width(stage);
      if (stage > 0) {
        String merging = "layers." + stage + ".downsample.";
        ParameterShapes.norm(shapes, merging + "norm", 2 * width);
        shapes.put(merging + "reduction.weight", new long[] {width, 2 * width});
      }
      long across = 2L * c.window(stage) - 1;
      for (int i = 0; i < c.depths().get(stage); i++) {
        String block = block(stage, i);
        ParameterShapes.norm(shapes, block + "norm1", width);
        shapes.put(block + TABLE, new long[] {across * across, c.heads().get(stage)});
        ParameterShapes.linear(shapes, block + "attn.qkv", width, 3 * width);
        ParameterShapes.linear(shapes, block + "attn.proj", width, width);
        ParameterShapes.norm(shapes, block + "norm2", width);
        ParameterShapes.linear(shapes, block + "mlp.fc1", width, SwinConfig.MLP_RATIO * width);
        ParameterShapes.linear(shapes, block + "mlp.fc2", SwinConfig.MLP_RATIO * width, width);
      }
    }
    long last = c.width(c.stages() - 1);
    ParameterShapes.norm(shapes, "norm", last);
    ParameterShapes.linear(shapes, "head.fc", last, c.classes());
    return Collections.unmodifiableMap(shapes);
  }

  /** What the names of a block's parameters begin with. */
  static String block(int stage, int index) {
    return "layers." + stage + ".blocks." + index + ".";
  }
}
