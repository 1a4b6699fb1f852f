package org.maskedkd.student;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

/** A micro-batch as it goes over the wire. */
final class MicroBatchMessages {
  private MicroBatchMessages() {}

  /**
   * What the student says of a micro-batch after its forward, in frames; the last one is marked.
   */
  static List<Forwarded> forwarded(
      String run,
      int attempt,
      long step,
      int index,
      float[] logits,
      float[] targets,
      int images,
      TeacherView.@Nullable Kept kept) {
    List<Tensor> tensors = new ArrayList<>();
    int classes = logits.length / images;
    tensors.add(TensorFrames.floats("logits", logits, images, classes));
    tensors.add(TensorFrames.floats("target", targets, images, classes));
    if (kept != null) {
      tensors.add(TensorFrames.ints("kept_indices", kept.indices(), images, kept.perImage()));
      tensors.add(
          TensorFrames.bytes(
              "kept_patches", kept.patches(), images, kept.perImage(), kept.patchBytes()));
    }
    MicroBatchKey key =
        MicroBatchKey.newBuilder()
            .setRun(run)
            .setAttempt(attempt)
            .setStep(step)
            .setIndex(index)
            .build();
    List<List<Tensor>> groups = TensorFrames.cut(tensors);
    List<Forwarded> messages = new ArrayList<>();
    for (int i = 0; i < groups.size(); i++) {
      messages.add(
          Forwarded.newBuilder()
              .setKey(key)
              .addAllTensors(groups.get(i))
              .setLast(i == groups.size() - 1)
              .build());
    }
    return messages;
  }

  /**
   * @throws IllegalArgumentException if the gradient is not float32 of the logits' shape
   */
  static void requireGradientShape(
      NamedTensor gradient, long[] expected, StepPlan plan, int index) {
    if (gradient.dtype() != DType.DTYPE_FLOAT32 || !Arrays.equals(gradient.shape(), expected)) {
      throw new IllegalArgumentException(
          "logits_gradient of micro-batch %d, step %d must be float32 %s, found %s %s"
              .formatted(
                  index,
                  plan.getStep(),
                  Arrays.toString(expected),
                  gradient.dtype(),
                  Arrays.toString(gradient.shape())));
    }
  }
}
