package org.maskedkd.vit;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Names of known models, and the one-line form in which any other is written. */
public final class ModelZoo {

  static final String FREE = "vit";

  private static final List<String> KEYS =
      List.of(
          "image",
          "patch",
          "channels",
          "width",
          "depth",
          "heads",
          "mlp",
          "classes",
          "distilled",
          "layer-scale",
          "pos-covers-prefix",
          "pool",
          "act",
          "pre-norm",
          "class-blocks",
          "text-width",
          "eps",
          "mean",
          "std");

  private static final String DEIT3 = ",layer-scale=true,pos-covers-prefix=false";

  private static final String CLIP =
      ",act=quick-gelu,pre-norm=true,eps=1e-5"
          + ",mean=0.48145466/0.4578275/0.40821073,std=0.26862954/0.26130258/0.27577711";

  private static final Map<String, String> MODELS = models();

  private ModelZoo() {}

  private static Map<String, String> models() {
    Map<String, String> sizes = new LinkedHashMap<>();
    sizes.put("tiny", "width=192,depth=12,heads=3");
    sizes.put("small", "width=384,depth=12,heads=6");
    sizes.put("base", "width=768,depth=12,heads=12");
    sizes.put("large", "width=1024,depth=24,heads=16");
    sizes.put("huge", "width=1280,depth=32,heads=16");
    Map<String, String> models = new LinkedHashMap<>();
    for (int side : List.of(224, 384)) {
      String at = ",patch=16,classes=1000,image=" + side;
      for (String size : List.of("tiny", "small", "base")) {
        String deit = sizes.get(size) + at;
        models.put("deit_%s_patch16_%d".formatted(size, side), deit);
        models.put("deit_%s_distilled_patch16_%d".formatted(size, side), deit + ",distilled=true");
      }
      for (String size : List.of("small", "base", "large")) {
        models.put("deit3_%s_patch16_%d".formatted(size, side), sizes.get(size) + at + DEIT3);
      }
      models.put(
          "cait_s24_" + side,
          "width=384,depth=24,heads=8,class-blocks=2,layer-scale=true,pos-covers-prefix=false"
              + at);
    }
    String huge = sizes.get("huge") + ",image=224,patch=14,classes=1000";
    models.put("deit3_huge_patch14_224", huge + DEIT3);
    String at224 = ",image=224,patch=16,classes=";
    models.put("mae_base_patch16_224", sizes.get("base") + at224 + "1000,pool=mean");
    models.put("mae_large_patch16_224", sizes.get("large") + at224 + "1000,pool=mean");
    models.put("mae_huge_patch14_224", huge + ",pool=mean");
    models.put("clip_base_patch16_224", sizes.get("base") + at224 + "1000" + CLIP);
    models.put("dino_small_patch16_224", sizes.get("small") + at224 + "1000");
    models.put("dino_base_patch16_224", sizes.get("base") + at224 + "1000");
    return Collections.unmodifiableMap(models);
  }

  /** The names that {@link ModelConfig#parse} knows, in alphabetical order. */
  public static Set<String> names() {
    Set<String> names = new TreeSet<>(MODELS.keySet());
    names.addAll(SwinZoo.MODELS.keySet());
    return names;
  }

  /**
   * Reads {@code NAME}, {@code NAME:key=value,...} (a known model with changes) or {@code
   * vit:key=value,...}.
   *
   * <p>Keys: {@code image} (a side, or HEIGHTxWIDTH), {@code patch}, {@code width}, {@code depth},
   * {@code heads}, {@code classes}, and those with a default: {@code mlp} (4 x width), {@code
   * channels} (3), {@code distilled} (false), {@code layer-scale} (false), {@code
   * pos-covers-prefix} (true), {@code pool} (class, or mean), {@code act} (gelu, or quick-gelu),
   * {@code pre-norm} (false), {@code class-blocks} (0), {@code text-width} (0), {@code eps} (1e-6),
   * {@code mean} and {@code std} (ImageNet's; one number per channel with {@code /} between).
   *
   * @throws IllegalArgumentException naming the nearest right one when a name or key is unknown,
   *     both values when numbers do not fit, and the reason when it is a Swin transformer
   */
  public static VitConfig parse(String text) {
    String trimmed = text.strip();
    String name = name(trimmed);
    if (SwinZoo.reads(trimmed)) {
      throw new IllegalArgumentException(SwinZoo.needsEveryPatch(trimmed));
    }
    Map<String, String> keys = new LinkedHashMap<>();
    if (!name.equals(FREE)) {
      String known = MODELS.get(name);
      if (known == null) {
        Set<String> all = names();
        all.add(FREE + ":image=...");
        all.add(SwinZoo.FREE + ":image=...");
        throw new IllegalArgumentException(
            "unknown model '%s'; did you mean '%s'? Known: %s"
                .formatted(name, Nearest.of(name, all), String.join(", ", all)));
      }
      keys.putAll(pairs(known, name, KEYS));
    }
    keys.putAll(changes(trimmed, KEYS));
    try {
      return build(keys);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("model '%s': %s".formatted(trimmed, e.getMessage()), e);
    }
  }

  static String write(VitConfig c) {
    return FREE
        + ":image=%dx%d,patch=%d,channels=%d,width=%d,depth=%d,heads=%d,mlp=%d,classes=%d"
            .formatted(
                c.imageHeight(),
                c.imageWidth(),
                c.patch(),
                c.channels(),
                c.width(),
                c.depth(),
                c.heads(),
                c.mlpWidth(),
                c.classes())
        + ",distilled=%b,layer-scale=%b,pos-covers-prefix=%b,eps=%s,mean=%s,std=%s"
            .formatted(
                c.distilled(),
                c.layerScale(),
                c.posCoversPrefix(),
                c.eps(),
                slashed(c.mean()),
                slashed(c.std()))
        + rarer(c.traits());
  }

  /** Traits that few models have, so that the lines of the others stay as they were. */
  private static String rarer(VitTraits traits) {
    StringBuilder text = new StringBuilder();
    if (traits.pooling() != VitTraits.Pooling.CLASS) {
      text.append(",pool=").append(name(traits.pooling()));
    }
    if (traits.activation() != VitTraits.Activation.GELU) {
      text.append(",act=").append(name(traits.activation()));
    }
    if (traits.preNorm()) {
      text.append(",pre-norm=true");
    }
    if (traits.classBlocks() > 0) {
      text.append(",class-blocks=").append(traits.classBlocks());
    }
    if (traits.textWidth() > 0) {
      text.append(",text-width=").append(traits.textWidth());
    }
    return text.toString();
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static <E extends Enum<E>> E named(String key, String value, Class<E> type) {
    for (E each : type.getEnumConstants()) {
      if (name(each).equals(value)) {
        return each;
      }
    }
    throw new IllegalArgumentException(
        "%s=%s is none of %s"
            .formatted(
                key,
                value,
                Arrays.stream(type.getEnumConstants())
                    .map(ModelZoo::name)
                    .collect(Collectors.joining(", "))));
  }

  /** What stands before the keys. */
  static String name(String model) {
    return model.strip().split(":", 2)[0];
  }

  /** The keys and values after a model's name. */
  static Map<String, String> changes(String model, List<String> known) {
    String[] parts = model.strip().split(":", 2);
    return parts.length == 1 ? Map.of() : pairs(parts[1], model.strip(), known);
  }

  static Map<String, String> pairs(String text, String model, List<String> known) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (String part : text.split(",", -1)) {
      int equals = part.indexOf('=');
      if (equals < 0) {
        throw new IllegalArgumentException(
            "model '%s': '%s' is not of the form key=value".formatted(model, part));
      }
      String key = part.substring(0, equals).strip();
      if (!known.contains(key)) {
        throw new IllegalArgumentException(
            "model '%s': unknown key '%s'; did you mean '%s'? Known: %s"
                .formatted(model, key, Nearest.of(key, known), String.join(", ", known)));
      }
      if (pairs.put(key, part.substring(equals + 1).strip()) != null) {
        throw new IllegalArgumentException(
            "model '%s': key '%s' is given twice".formatted(model, key));
      }
    }
    return pairs;
  }

  private static VitConfig build(Map<String, String> keys) {
    String[] sides = required(keys, "image").split("x", -1);
    if (sides.length > 2) {
      throw new IllegalArgumentException(
          "image=%s is neither a side nor HEIGHTxWIDTH".formatted(keys.get("image")));
    }
    int width = integer("width", required(keys, "width"));
    return new VitConfig(
        integer("image", sides[0]),
        integer("image", sides[sides.length - 1]),
        integer("patch", required(keys, "patch")),
        integer("channels", keys.getOrDefault("channels", "3")),
        width,
        integer("depth", required(keys, "depth")),
        integer("heads", required(keys, "heads")),
        keys.containsKey("mlp")
            ? integer("mlp", required(keys, "mlp"))
            : Math.multiplyExact(4, width),
        integer("classes", required(keys, "classes")),
        new VitTraits(
            bool("distilled", keys.getOrDefault("distilled", "false")),
            bool("layer-scale", keys.getOrDefault("layer-scale", "false")),
            bool("pos-covers-prefix", keys.getOrDefault("pos-covers-prefix", "true")),
            named("pool", keys.getOrDefault("pool", "class"), VitTraits.Pooling.class),
            named("act", keys.getOrDefault("act", "gelu"), VitTraits.Activation.class),
            bool("pre-norm", keys.getOrDefault("pre-norm", "false")),
            integer("class-blocks", keys.getOrDefault("class-blocks", "0")),
            integer("text-width", keys.getOrDefault("text-width", "0"))),
        number("eps", keys.getOrDefault("eps", "1e-6")),
        numbers("mean", keys, ModelConfig.IMAGENET_MEAN),
        numbers("std", keys, ModelConfig.IMAGENET_STD));
  }

  static String required(Map<String, String> keys, String key) {
    String value = keys.get(key);
    if (value == null) {
      throw new IllegalArgumentException("key '%s' is missing".formatted(key));
    }
    return value;
  }

  static int integer(String key, String value) {
    return parsed(key, value, "an integer", Integer::parseInt);
  }

  static double number(String key, String value) {
    return parsed(key, value, "a number", Double::parseDouble);
  }

  private static <T> T parsed(String key, String value, String kind, Function<String, T> parser) {
    try {
      return parser.apply(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("%s=%s is not %s".formatted(key, value, kind), e);
    }
  }

  private static boolean bool(String key, String value) {
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException(
              "%s=%s is neither true nor false".formatted(key, value));
    };
  }

  static List<Double> numbers(String key, Map<String, String> keys, List<Double> otherwise) {
    String value = keys.get(key);
    return value == null
        ? otherwise
        : Arrays.stream(value.split("/", -1)).map(v -> number(key, v)).toList();
  }

  static String slashed(List<?> values) {
    return values.stream().map(String::valueOf).collect(Collectors.joining("/"));
  }
}
