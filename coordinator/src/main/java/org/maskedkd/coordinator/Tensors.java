package org.maskedkd.coordinator;

import java.util.Arrays;
import java.util.Map;
import org.maskedkd.runtime.TensorFrames;

/** Takes tensors of a known shape out of what a peer sent. */
final class Tensors {

  private Tensors() {}

  /**
   * @throws IllegalArgumentException when it is missing, of another shape or not float32
   */
  static float[] floats(Map<String, TensorFrames.NamedTensor> tensors, String name, long... shape) {
    return required(tensors, name, shape).floats();
  }

  /** The tensor, after a check of its shape, in which -1 stands for any length. */
  static TensorFrames.NamedTensor required(
      Map<String, TensorFrames.NamedTensor> tensors, String name, long... shape) {
    TensorFrames.NamedTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(
          "expected a tensor \"" + name + "\", found " + tensors.keySet());
    }
    long[] found = tensor.shape();
    boolean same = found.length == shape.length;
    for (int i = 0; same && i < shape.length; i++) {
      same = shape[i] == -1 || shape[i] == found[i];
    }
    if (!same) {
      throw new IllegalArgumentException(
          name + " has shape " + Arrays.toString(found) + ", expected " + Arrays.toString(shape));
    }
    return tensor;
  }
}
