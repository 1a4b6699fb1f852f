package org.maskedkd.student;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Offered;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

/** A micro-batch as it goes over the wire. */
final class MicroBatchMessages {
  private MicroBatchMessages() {}

  /**
   * What the student says of a micro-batch after its forward, in frames; the last one is marked.
   *
   * @param kept null where there is no teacher, or the patches went before
   */
  static List<StudentEvent> forwarded(
      MicroBatchKey key,
      float[] logits,
      float[] targets,
      int images,
      TeacherView.@Nullable Kept kept) {
    List<Tensor> tensors = new ArrayList<>();
    int classes = logits.length / images;
    tensors.add(TensorFrames.floats("logits", logits, images, classes));
    tensors.add(TensorFrames.floats("target", targets, images, classes));
    if (kept != null) {
      tensors.addAll(tensors(kept));
    }
    return inFrames(
        tensors,
        (frame, last) ->
            StudentEvent.newBuilder()
                .setForwarded(Forwarded.newBuilder().setKey(key).addAllTensors(frame).setLast(last))
                .build());
  }

  /** The patches of a micro-batch, before its forward, in frames; the last one is marked. */
  static List<StudentEvent> offered(MicroBatchKey key, TeacherView.Kept kept) {
    return inFrames(
        tensors(kept),
        (frame, last) ->
            StudentEvent.newBuilder()
                .setOffered(Offered.newBuilder().setKey(key).addAllTensors(frame).setLast(last))
                .build());
  }

  private static List<Tensor> tensors(TeacherView.Kept kept) {
    return List.of(
        TensorFrames.ints("kept_indices", kept.indices(), kept.images(), kept.perImage()),
        TensorFrames.bytes(
            "kept_patches", kept.patches(), kept.images(), kept.perImage(), kept.patchBytes()));
  }

  private static List<StudentEvent> inFrames(
      List<Tensor> tensors, BiFunction<List<Tensor>, Boolean, StudentEvent> message) {
    List<List<Tensor>> groups = TensorFrames.cut(tensors);
    List<StudentEvent> messages = new ArrayList<>();
    for (int i = 0; i < groups.size(); i++) {
      messages.add(message.apply(groups.get(i), i == groups.size() - 1));
    }
    return messages;
  }

  /**
   * @throws IllegalArgumentException if the gradient is not float32 of the logits' shape, or counts
   *     more correct samples than there are
   */
  static void requireGradient(Inbox.Gradient arrived, long[] expected, StepPlan plan, int index) {
    NamedTensor gradient = arrived.logitsGradient();
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
    int correct = Math.max(arrived.loss().getStudentCorrect(), arrived.loss().getTeacherCorrect());
    if (correct > expected[0]) {
      throw new IllegalArgumentException(
          "the loss of micro-batch %d, step %d counts %d correct samples of %d"
              .formatted(index, plan.getStep(), correct, expected[0]));
    }
  }
}
