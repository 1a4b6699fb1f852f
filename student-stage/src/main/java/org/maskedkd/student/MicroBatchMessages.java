package org.maskedkd.student;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Offered;
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
   * @param distillationLogits null unless the heads are separate
   * @param kept null where there is no teacher, or the patches went before
   */
  static List<StudentEvent> forwarded(
      MicroBatchKey key,
      float[] logits,
      float @Nullable [] distillationLogits,
      float[] targets,
      int images,
      TeacherView.@Nullable Kept kept) {
    List<Tensor> tensors = new ArrayList<>();
    int classes = logits.length / images;
    tensors.add(TensorFrames.floats("logits", logits, images, classes));
    if (distillationLogits != null) {
      tensors.add(TensorFrames.floats("distillation_logits", distillationLogits, images, classes));
    }
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
   * What a backward starts from.
   *
   * @param kept the places of the patches that the teacher saw; empty where nothing is compared
   * @throws IllegalArgumentException if a tensor is missing, not float32 or of another shape, or
   *     more correct samples are counted than there are
   */
  static BackwardSignal signal(
      Inbox.Gradient arrived, int classes, Objective objective, int[] kept, FeatureLoss.Place at) {
    long samples = at.samples();
    int correct = Math.max(arrived.loss().getStudentCorrect(), arrived.loss().getTeacherCorrect());
    if (correct > samples) {
      throw new IllegalArgumentException(
          "its loss counts %d correct samples of %d".formatted(correct, samples));
    }
    long perSample = kept.length / samples;
    int tokens = objective.manifoldPairs().ofTeacher().size();
    int attention = objective.attentionPairs().ofTeacher().size();
    return new BackwardSignal(
        floats(arrived, "logits_gradient", samples, classes),
        objective.separateHeads()
            ? floats(arrived, "distillation_logits_gradient", samples, classes)
            : null,
        tokens == 0
            ? null
            : floats(arrived, "tokens", tokens, samples, perSample, objective.teacherWidth()),
        attention == 0 ? null : floats(arrived, "attention", attention, samples, perSample),
        kept,
        at);
  }

  private static NamedTensor floats(Inbox.Gradient arrived, String name, long... shape) {
    return TensorFrames.require(arrived.tensors(), name, DType.DTYPE_FLOAT32, shape);
  }
}
