package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;

/** Computes with the model. */
final class ModelDevice implements StudentDevice {
  private final Learner learner;
  private final StudentForward forward;
  private final boolean recompute;

  /**
   * @param forward of the learner's model
   * @param recompute whether to keep no activations and run each forward once more for its backward
   */
  ModelDevice(Learner learner, StudentForward forward, boolean recompute) {
    this.learner = learner;
    this.forward = forward;
    this.recompute = recompute;
  }

  @Override
  public Activations forward(
      ByteBuffer images, int count, float @Nullable [][] drops, boolean wantSaliency) {
    if (!recompute) {
      return withGraph(images, count, drops, wantSaliency);
    }
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      StudentForward.Result result = forward.run(scope, images, count, drops, wantSaliency);
      // The same forward again, saliency too: another kernel could round otherwise.
      return new Again(
          Tensors.floats(result.logits()),
          result.saliency(),
          () -> withGraph(images, count, drops, wantSaliency));
    }
  }

  private Graph withGraph(
      ByteBuffer images, int count, float @Nullable [][] drops, boolean wantSaliency) {
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      StudentForward.Result result = forward.run(scope, images, count, drops, wantSaliency);
      return new Graph(scope.keep(result.logits()), result.saliency());
    }
  }

  @Override
  public boolean onCallingThread() {
    return Torch.threads() == 1;
  }

  @Override
  public float[][] saliency(ByteBuffer images, int count, float @Nullable [][] drops) {
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      return forward.run(scope, images, count, drops, /* wantSaliency= */ true).saliency();
    }
  }

  @Override
  public double optimize(double learningRate) {
    return learner.step(learningRate);
  }

  /** Logits whose graph holds the activations. */
  private record Graph(NDArray output, float[][] saliency) implements Activations {
    @Override
    public float[] logits() {
      return Tensors.floats(output);
    }

    @Override
    public void backward(NamedTensor logitsGradient) {
      try (GradMode on = GradMode.on();
          Scope scope = Scope.open()) {
        NDArray cotangent =
            Tensors.fromBytes(
                scope.manager(),
                logitsGradient.bytes(),
                DataType.FLOAT32,
                output.getShape().getShape());
        Gradients.backward(output, cotangent);
      }
    }

    @Override
    public void close() {
      output.close();
    }
  }

  /** Nothing but what was asked for; the graph is made when its backward comes. */
  // The array is handed on, never compared.
  @SuppressWarnings("ArrayRecordComponent")
  private record Again(float[] logits, float[][] saliency, Supplier<Graph> forward)
      implements Activations {
    @Override
    public void backward(NamedTensor logitsGradient) {
      try (Graph graph = forward.get()) {
        graph.backward(logitsGradient);
      }
    }

    @Override
    public void close() {}
  }
}
