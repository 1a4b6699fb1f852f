package org.maskedkd.coordinator;

import java.util.Map;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.runtime.TensorFrames;

/**
 * What a teacher's answer to a micro-batch must be.
 *
 * @param model of the teacher
 */
record SignalShape(MaskedWork work, ModelInfo model) {

  /** Of all its tensors. */
  long bytes() {
    long perImage = featureBytes(work.features(), model, work.kept());
    return work.samples() * ((long) Float.BYTES * model.getClasses() + perImage);
  }

  /** What features add to an answer, for each image of so many patches. */
  static long featureBytes(Features asked, ModelInfo model, int kept) {
    long perPatch =
        (long) asked.getTokensCount() * model.getBlocks().getWidth() + asked.getAttentionCount();
    return Float.BYTES * kept * perPatch;
  }

  /**
   * The answer, checked.
   *
   * @param teacher which one of the pool
   * @throws IllegalArgumentException naming what is missing or has another shape
   */
  TeacherAnswer answer(int teacher, TensorFrames.Assembler arrived, Span span) {
    Map<String, TensorFrames.NamedTensor> tensors = arrived.finish();
    float[] logits = Tensors.floats(tensors, "logits", work.samples(), model.getClasses());
    int tokens = work.features().getTokensCount();
    int attention = work.features().getAttentionCount();
    if (tokens > 0) {
      TensorFrames.require(
          tensors,
          "tokens",
          DType.DTYPE_FLOAT32,
          tokens,
          work.samples(),
          work.kept(),
          model.getBlocks().getWidth());
    }
    if (attention > 0) {
      TensorFrames.require(
          tensors, "attention", DType.DTYPE_FLOAT32, attention, work.samples(), work.kept());
    }
    return new TeacherAnswer(
        work.key(),
        teacher,
        logits,
        arrived.frames().stream().filter(frame -> !frame.getName().equals("logits")).toList(),
        span);
  }
}
