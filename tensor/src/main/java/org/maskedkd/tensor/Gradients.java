package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.util.ArrayList;
import java.util.List;

/**
 * The accumulated gradients of a fixed list of leaves, zeroed, measured and clipped as one.
 *
 * <p>Backward passes add into them, so micro-batches sum by themselves. One thread at a time.
 */
public final class Gradients implements AutoCloseable {
  private final List<NDArray> parameters;
  private final List<NDArray> handles;
  private final Script.TensorList list;

  /**
   * Sets every leaf's gradient to zero.
   *
   * @param parameters float32 leaves with {@link Tensors#requireGradient}; they stay the caller's
   */
  public Gradients(List<NDArray> parameters) {
    if (parameters.isEmpty()) {
      throw new IllegalArgumentException("gradients of no parameters were asked for");
    }
    this.parameters = List.copyOf(parameters);
    for (int i = 0; i < parameters.size(); i++) {
      if (!parameters.get(i).hasGradient()) {
        throw new IllegalArgumentException(
            "parameter " + i + " has no gradient; call Tensors.requireGradient first");
      }
    }
    define();
    List<NDArray> fetched = new ArrayList<>();
    for (NDArray parameter : this.parameters) {
      fetched.add(Scope.release(parameter.getGradient()));
    }
    handles = List.copyOf(fetched);
    list = new Script.TensorList(handles);
    zero();
  }

  /**
   * Before its first backward pass a leaf has no gradient in libtorch, and DJL answers with zeros
   * that stay zeros. A backward pass that adds 0 to every leaf makes them real; from then on
   * libtorch adds in place and the handles stay true.
   */
  private void define() {
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open();
        Script.TensorList leaves = new Script.TensorList(parameters)) {
      NDArray nothing = Script.callInto((PtNDManager) scope.manager(), "touch", leaves);
      backward(nothing, Tensors.zeros(scope.manager()));
    }
  }

  /**
   * Adds the exact vector-Jacobian product of {@code output} with {@code cotangent} to the
   * gradients of all leaves it was computed from, and frees the graph.
   *
   * @param cotangent of the output's shape and format
   */
  public static void backward(NDArray output, NDArray cotangent) {
    if (!output.getShape().equals(cotangent.getShape())) {
      throw new IllegalArgumentException(
          "cotangent " + cotangent.getShape() + " does not fit the output " + output.getShape());
    }
    JniUtils.backward(
        (PtNDArray) output,
        (PtNDArray) cotangent,
        /* keepGraph= */ false,
        /* createGraph= */ false);
  }

  public List<NDArray> parameters() {
    return parameters;
  }

  /** The gradient of parameter {@code i}: always the same memory, owned by this object. */
  public NDArray of(int i) {
    return handles.get(i);
  }

  public void zero() {
    Script.update("zero", list);
  }

  /** The Euclidean norm over all gradients together. */
  public double norm() {
    return Script.number("norm", list);
  }

  /**
   * Scales all gradients by one factor so that their norm is at most {@code maxNorm} (the factor is
   * maxNorm/(norm + 1e-6), as in PyTorch).
   *
   * @return the norm before
   */
  public double clip(double maxNorm) {
    double norm = norm();
    double factor = maxNorm / (norm + 1e-6);
    if (factor < 1) {
      Script.update("scale", list, factor);
    }
    return norm;
  }

  /** Multiplies all gradients by one factor. */
  public void scale(double factor) {
    Script.update("scale", list, factor);
  }

  /** Whether no gradient holds an infinity or a NaN. */
  public boolean finite() {
    // A finite norm proves it in one pass; an infinite one may be an overflow of the squares.
    return Double.isFinite(norm()) || Script.truth("all_finite", list);
  }

  Script.TensorList list() {
    return list;
  }

  /** Lets go of the gradients' memory; the parameters stay. */
  @Override
  public void close() {
    list.close();
    handles.forEach(NDArray::close);
  }
}
