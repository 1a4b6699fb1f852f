package org.maskedkd.vit;

import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/** The architecture of a Swin transformer from the names and shapes of its tensors. */
final class SwinInference {
  private static final String FIRST_TABLE = SwinShapes.block(0, 0) + SwinShapes.TABLE;

  private SwinInference() {}

  static boolean isOf(NamedTensors tensors) {
    return tensors.contains(FIRST_TABLE);
  }

  static ModelInference inferred(NamedTensors tensors) {
    int stages = tensors.blocks("layers.");
    if (stages > SwinConfig.MOST_STAGES) {
      throw new WeightsException(
          "%s: no Swin transformer that is known here: it has %d stages, expected at most %d"
              .formatted(tensors.path(), stages, SwinConfig.MOST_STAGES));
    }
    List<Integer> depths =
        IntStream.range(0, stages)
            .mapToObj(stage -> tensors.blocks("layers." + stage + ".blocks."))
            .toList();
    List<Integer> heads =
        IntStream.range(0, stages)
            .mapToObj(
                stage -> (int) shape(tensors, SwinShapes.block(stage, 0) + SwinShapes.TABLE)[1])
            .toList();
    int window = ((int) Math.round(Math.sqrt((double) shape(tensors, FIRST_TABLE)[0])) + 1) / 2;
    long[] projection = shape(tensors, "patch_embed.proj.weight");
    int patch = (int) projection[2];
    long[] head = tensors.shapeOrNull("head.fc.weight");
    SwinConfig like = SwinZoo.parse("swin_tiny_patch4_window7_224");
    SwinConfig config =
        new SwinConfig(
            window * (patch << (stages - 1)),
            patch,
            (int) projection[1],
            (int) projection[0],
            depths,
            heads,
            window,
            head == null ? like.classes() : (int) head[0],
            like.eps(),
            like.mean(),
            like.std());
    return new ModelInference(
        config,
        "the tensors of %s are of %s; assumed, since no tensor tells: an image of which the last stage is one window, eps, ImageNet's mean and std%s"
            .formatted(
                tensors.path(),
                config.canonical(),
                head == null ? ", " + like.classes() + " classes" : ""));
  }

  private static long[] shape(NamedTensors tensors, String parameter) {
    long[] shape = tensors.shapeOrNull(parameter);
    int axes = parameter.endsWith(SwinShapes.TABLE) ? 2 : 4;
    if (shape == null || shape.length != axes) {
      throw new WeightsException(
          "%s: no Swin transformer that is known here: it has no %s of %d axes; name the model instead of '%s'"
              .formatted(tensors.path(), parameter, axes, ModelInference.AUTO));
    }
    return Objects.requireNonNull(shape);
  }
}
