package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Tensors;

/**
 * What is checked in Java before it reaches native code, whose own complaints name neither model
 * nor patch.
 */
final class InputChecks {

  private InputChecks() {}

  static void forward(
      ModelConfig config, NDArray patches, @Nullable NDArray kept, float @Nullable [][] dropPath) {
    Shape shape = patches.getShape();
    check(
        shape.dimension() == 3 && shape.get(0) > 0 && shape.get(2) == config.patchValues(),
        "patches have shape %s, expected [batch, patches, %d]",
        shape,
        config.patchValues());
    long batch = shape.get(0);
    long given = shape.get(1);
    if (kept == null) {
      check(
          given == config.patches(),
          "%d patches without places do not fill the grid's %d",
          given,
          config.patches());
    } else {
      check(
          kept.getShape().equals(new Shape(batch, given)),
          "places of kept patches have shape %s, expected [%d, %d] as the patches",
          kept.getShape(),
          batch,
          given);
      check(given > 0, "no patch is kept of %d", config.patches());
      for (long place : Tensors.longs(kept)) {
        check(
            place >= 0 && place < config.patches(),
            "place %d is outside the grid's 0..%d",
            place,
            config.patches() - 1);
      }
    }
    if (dropPath != null) {
      check(
          dropPath.length == 2 * config.depth(),
          "drop-path scales of %d branches do not match %d blocks of two",
          dropPath.length,
          config.depth());
      for (float[] branch : dropPath) {
        check(
            branch.length == batch,
            "drop-path scales of %d samples do not match the batch of %d",
            branch.length,
            batch);
      }
    }
  }

  private static void check(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }
}
