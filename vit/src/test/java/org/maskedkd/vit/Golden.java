package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/** The reference values under {@code golden/} and how near to them a result has to be. */
final class Golden {

  private Golden() {}

  static Path path(String name) {
    URL url =
        Objects.requireNonNull(
            Golden.class.getResource("/golden/" + name + ".safetensors"), name + " is missing");
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static float[] floats(String file, String tensor) {
    try (SafetensorsFile open = SafetensorsFile.open(path(file))) {
      return open.readFloats(tensor);
    }
  }

  static long[] longs(String file, String tensor) {
    try (SafetensorsFile open = SafetensorsFile.open(path(file))) {
      return open.readLongs(tensor);
    }
  }

  static Map<String, String> metadata(String file) {
    try (SafetensorsFile open = SafetensorsFile.open(path(file))) {
      return open.metadata();
    }
  }

  /** The model that a case's weights are of. */
  static VitConfig config(String file) {
    Map<String, String> m = metadata(file);
    return ModelZoo.parse(
        "vit:image=%sx%s,patch=%s,width=%s,depth=%s,heads=%s,mlp=%s,classes=%s,distilled=%b,layer-scale=%b,pos-covers-prefix=%b,eps=%s"
            .formatted(
                m.get("img_h"),
                m.get("img_w"),
                m.get("patch"),
                m.get("dim"),
                m.get("depth"),
                m.get("heads"),
                m.get("mlp_dim"),
                m.get("classes"),
                "2".equals(m.get("prefix_tokens")),
                "1".equals(m.get("layer_scale")),
                "1".equals(m.get("pos_embed_covers_prefix")),
                m.get("norm_eps")));
  }

  /** Largest absolute difference over the largest expected magnitude. */
  static double off(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    double largest = 0;
    for (float value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    double difference = largestDifference(actual, expected);
    return difference == 0 ? 0 : difference / largest;
  }

  static double largestDifference(float[] actual, float[] expected) {
    double difference = 0;
    for (int i = 0; i < actual.length; i++) {
      double d = Math.abs((double) actual[i] - expected[i]);
      difference = d <= difference ? difference : d; // a NaN stays
    }
    return difference;
  }
}
