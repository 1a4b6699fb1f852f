package org.maskedkd.data;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A generated set of images.
 *
 * @param images in this split
 * @param size height and width in pixels, a multiple of {@code patch}
 * @param patch edge of the patches that a model will cut; what tells the class covers about two by
 *     two of them
 * @param seed another seed gives other images of the same kind
 * @param split {@code train} or {@code eval}; the two share no image
 */
public record GeneratedSpec(int classes, int images, int size, int patch, long seed, String split) {
  static final String PREFIX = "generated:";

  /** Their names take half a minute to digest. */
  private static final int MOST_IMAGES = 5_000_000;

  private static final List<String> SPLITS = List.of("train", "eval");

  public GeneratedSpec {
    require(
        classes >= 2 && classes <= Motif.values().length,
        "classes=%d, but 2 to %d can be drawn",
        classes,
        Motif.values().length);
    require(images >= classes, "images=%d are fewer than classes=%d", images, classes);
    require(images <= MOST_IMAGES, "images=%d are more than %d", images, MOST_IMAGES);
    require(patch >= 4 && patch <= 64, "patch=%d is not in 4..64", patch);
    require(
        size % patch == 0 && size >= 4 * patch && size <= 1024,
        "size=%d must be a multiple of patch=%d, at least four of them, and at most 1024",
        size,
        patch);
    require(SPLITS.contains(split), "split=%s is neither train nor eval", split);
  }

  /**
   * Reads {@code generated:classes=8,images=4000,size=32,patch=4,seed=1,split=train}; these are
   * also the defaults.
   *
   * @throws DataException when a key is unknown or a value impossible
   */
  public static GeneratedSpec parse(String spec) {
    Map<String, String> values =
        new TreeMap<>(
            Map.of(
                "classes", "8", "images", "4000", "size", "32", "patch", "4", "seed", "1", "split",
                "train"));
    String body = spec.startsWith(PREFIX) ? spec.substring(PREFIX.length()) : spec;
    for (String part : body.isBlank() ? new String[0] : body.split(",", -1)) {
      String[] pair = part.trim().split("=", 2);
      require(
          pair.length == 2 && values.containsKey(pair[0]),
          "'%s' in '%s' is not one of key=value with the keys %s",
          part,
          spec,
          values.keySet());
      values.put(pair[0], pair[1]);
    }
    return new GeneratedSpec(
        (int) number(values, "classes"),
        (int) number(values, "images"),
        (int) number(values, "size"),
        (int) number(values, "patch"),
        number(values, "seed"),
        values.getOrDefault("split", "train"));
  }

  private static long number(Map<String, String> values, String key) {
    String text = values.getOrDefault(key, "");
    try {
      return key.equals("seed") ? Long.parseLong(text) : Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new DataException("%s=%s is not a whole number".formatted(key, text), e);
    }
  }

  private static void require(boolean condition, String message, Object... values) {
    if (!condition) {
      throw new DataException("generated images: " + message.formatted(values));
    }
  }

  /** The notation that gives this set again. */
  @Override
  public String toString() {
    return "%sclasses=%d,images=%d,size=%d,patch=%d,seed=%d,split=%s"
        .formatted(PREFIX, classes, images, size, patch, seed, split);
  }
}
