package org.maskedkd.teacher;

import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.tensor.ProcessMemory;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.Footprint;
import org.maskedkd.vit.TokenMerging;
import org.maskedkd.vit.VitConfig;

/** Looks at every field of a micro-batch before any of it reaches native code. */
final class MicroBatchCheck {
  private static final int LONGEST_RUN = 100;

  private final VitConfig config;

  MicroBatchCheck(VitConfig config) {
    this.config = config;
  }

  /**
   * @throws IllegalArgumentException if a name is longer than any run's, or a number is negative
   */
  static void key(MicroBatchKey key) {
    if (key.getRun().length() > LONGEST_RUN || key.getStep() < 0 || key.getIndex() < 0) {
      throw new IllegalArgumentException(
          "a micro-batch is of a run with a name of at most %d characters, of step 0 or later and index 0 or later, found %d characters, step %d, index %d"
              .formatted(LONGEST_RUN, key.getRun().length(), key.getStep(), key.getIndex()));
    }
  }

  /** A micro-batch that fits the teacher's grid. */
  record Checked(NamedTensor patches, int[] kept, int batch, FeatureLayers features) {}

  /**
   * The inner results that are asked for.
   *
   * @param merge tokens to merge in each block
   * @param images of the micro-batch
   * @param kept patches of each
   * @throws IllegalArgumentException if the model has not got them, or they are more than an answer
   *     may have
   */
  static FeatureLayers features(
      Features asked, int merge, VitConfig config, long images, long kept) {
    TokenMerging.requireIn(config, merge);
    FeatureLayers layers = new FeatureLayers(asked.getTokensList(), asked.getAttentionList());
    layers.requireIn(config);
    if (merge > 0 && !layers.isNone()) {
      throw new IllegalArgumentException(
          "features of blocks are asked for, and %d tokens merged in each: a merged token is of no patch"
              .formatted(merge));
    }
    long bytes = Float.BYTES * images * layers.numbersPerImage(config, (int) kept);
    long most = Math.min(Integer.MAX_VALUE / 2, Runtime.getRuntime().maxMemory() / 8);
    if (bytes > most) {
      throw new IllegalArgumentException(
          "features of %d bytes are asked for with %d images of %d patches; this teacher's Java heap allows %d: send smaller micro-batches, or start it with a larger -Xmx"
              .formatted(bytes, images, kept, most));
    }
    return layers;
  }

  /**
   * @throws IllegalArgumentException naming what was expected, what was found and where
   */
  Checked check(MicroBatchKey key, Map<String, NamedTensor> tensors, Features asked, int merge) {
    String where = "micro-batch " + key.getIndex() + " of step " + key.getStep();
    NamedTensor indices = named(tensors, "kept_indices", DType.DTYPE_INT32, 2, where);
    NamedTensor patches = named(tensors, "kept_patches", DType.DTYPE_UINT8, 3, where);
    long batch = indices.shape()[0];
    long kept = indices.shape()[1];
    long[] expected = {batch, kept, config.patchValues()};
    if (batch < 1 || kept < 1) {
      throw new IllegalArgumentException(
          where + " is empty: kept_indices has shape " + Arrays.toString(indices.shape()));
    }
    if (!Arrays.equals(expected, patches.shape())) {
      throw new IllegalArgumentException(
          "%s: kept_patches must have shape %s for kept_indices %s and patches of %d bytes, found %s"
              .formatted(
                  where,
                  Arrays.toString(expected),
                  Arrays.toString(indices.shape()),
                  config.patchValues(),
                  Arrays.toString(patches.shape())));
    }
    if (kept > config.patches()) {
      throw new IllegalArgumentException(
          "%s keeps %d patches of the teacher's %d".formatted(where, kept, config.patches()));
    }
    long least = Footprint.forward(config, batch, kept);
    if (least > ProcessMemory.machineBytes()) {
      throw new IllegalArgumentException(
          "%s: %d images with %d patches take at least %d bytes, this machine has %d"
              .formatted(where, batch, kept, least, ProcessMemory.machineBytes()));
    }
    int[] places = indices.ints();
    for (int i = 0; i < places.length; i++) {
      if (places[i] < 0 || places[i] >= config.patches()) {
        throw new IllegalArgumentException(
            "%s: kept index %d of image %d is outside the teacher's grid of %d patches"
                .formatted(where, places[i], i / kept, config.patches()));
      }
      if (i % kept != 0 && places[i] <= places[i - 1]) {
        throw new IllegalArgumentException(
            "%s: kept indices of image %d must ascend, found %d after %d"
                .formatted(where, i / kept, places[i], places[i - 1]));
      }
    }
    return new Checked(patches, places, (int) batch, features(asked, merge, config, batch, kept));
  }

  private static NamedTensor named(
      Map<String, NamedTensor> tensors, String name, DType dtype, int rank, String where) {
    @Nullable NamedTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(
          where + " lacks the tensor " + name + ", found " + tensors.keySet());
    }
    if (tensor.dtype() != dtype || tensor.shape().length != rank) {
      throw new IllegalArgumentException(
          "%s: %s must be %s of rank %d, found %s %s"
              .formatted(
                  where, name, dtype, rank, tensor.dtype(), Arrays.toString(tensor.shape())));
    }
    return tensor;
  }
}
