package org.maskedkd.vit;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Names of known Swin transformers, and the one-line form in which any other is written. */
final class SwinZoo {
  static final String FREE = "swin";

  private static final List<String> KEYS =
      List.of(
          "image",
          "patch",
          "channels",
          "width",
          "depths",
          "heads",
          "window",
          "classes",
          "eps",
          "mean",
          "std");

  static final Map<String, String> MODELS =
      Map.of(
          "swin_tiny_patch4_window7_224",
          "image=224,patch=4,width=96,depths=2/2/6/2,heads=3/6/12/24,window=7,classes=1000");

  private SwinZoo() {}

  /** Whether {@link #parse} is who reads it. */
  static boolean reads(String text) {
    String name = ModelZoo.name(text);
    return name.equals(FREE) || MODELS.containsKey(name);
  }

  /** Why such a model is refused where one is wanted that is shown some patches alone. */
  static String needsEveryPatch(String model) {
    return "model '%s' is a Swin transformer, whose windows need every patch: it can be a student, and what evaluate, predict, export and flops take, but neither a teacher nor masking.model"
        .formatted(model.strip());
  }

  /** As {@link ModelConfig#parse}. */
  static SwinConfig parse(String text) {
    Map<String, String> keys = new LinkedHashMap<>();
    String known = MODELS.get(ModelZoo.name(text));
    if (known != null) {
      keys.putAll(ModelZoo.pairs(known, text, KEYS));
    }
    keys.putAll(ModelZoo.changes(text, KEYS));
    try {
      return new SwinConfig(
          integer("image", keys),
          integer("patch", keys),
          ModelZoo.integer("channels", keys.getOrDefault("channels", "3")),
          integer("width", keys),
          integers("depths", keys),
          integers("heads", keys),
          integer("window", keys),
          integer("classes", keys),
          ModelZoo.number("eps", keys.getOrDefault("eps", "1e-5")),
          ModelZoo.numbers("mean", keys, ModelConfig.IMAGENET_MEAN),
          ModelZoo.numbers("std", keys, ModelConfig.IMAGENET_STD));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "model '%s': %s".formatted(text.strip(), e.getMessage()), e);
    }
  }

  static String write(SwinConfig c) {
    return FREE
        + ":image=%d,patch=%d,channels=%d,width=%d,depths=%s,heads=%s,window=%d,classes=%d,eps=%s,mean=%s,std=%s"
            .formatted(
                c.image(),
                c.patch(),
                c.channels(),
                c.width(),
                ModelZoo.slashed(c.depths()),
                ModelZoo.slashed(c.heads()),
                c.window(),
                c.classes(),
                c.eps(),
                ModelZoo.slashed(c.mean()),
                ModelZoo.slashed(c.std()));
  }

  private static int integer(String key, Map<String, String> keys) {
    return ModelZoo.integer(key, ModelZoo.required(keys, key));
  }

  private static List<Integer> integers(String key, Map<String, String> keys) {
    return Arrays.stream(ModelZoo.required(keys, key).split("/", -1))
        .map(value -> ModelZoo.integer(key, value))
        .toList();
  }
}
