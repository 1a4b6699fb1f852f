package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/** Computes with the model. */
final class ModelDevice implements StudentDevice {
  private final Learner learner;
  private final StudentForward forward;

  ModelDevice(Learner learner) {
    this.learner = learner;
    this.forward = new StudentForward(learner.model());
  }

  @Override
  public Activations forward(
      ByteBuffer images, int count, float @Nullable [][] drops, boolean wantSaliency) {
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      StudentForward.Result result = forward.run(scope, images, count, drops, wantSaliency);
      return new Graph(scope.keep(result.logits()), result.saliency());
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
}
