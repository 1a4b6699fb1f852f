package org.maskedkd.coordinator;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepRecord;

/**
 * A line of {@code metrics.jsonl}: one committed step. Losses are means over the batch, accuracies
 * shares of it; busy seconds are those of computing, of all teachers together.
 *
 * @param lossDistillation divergence from the teacher (temperature squared not included); null
 *     without a teacher
 * @param teacherTop1 of the masked teacher; null without one
 * @param redone micro-batches of this step that a lost teacher had and another did again
 */
record StepLine(
    long step,
    int epoch,
    int attempt,
    double learningRate,
    int images,
    double loss,
    double lossBase,
    @Nullable Double lossDistillation,
    double studentTop1,
    @Nullable Double teacherTop1,
    double gradientNorm,
    double stepSeconds,
    double dataWaitSeconds,
    double imagesPerSecond,
    double studentBusySeconds,
    @Nullable Double teacherBusySeconds,
    @Nullable Integer teachers,
    @Nullable Long redone) {

  private static final Set<String> COMPUTING = Set.of("forward", "backward", "optimizer");

  /** What the coordinator knows of a step's teachers. */
  record Teachers(double busySeconds, int ready, long redone) {}

  /**
   * @param distilled whether there was a teacher
   * @param teachers null when it is not known, as for steps that an earlier coordinator led
   */
  static StepLine of(
      StepRecord record, int attempt, boolean distilled, @Nullable Teachers teachers) {
    LossParts loss = record.getLoss();
    double images = Math.max(1, record.getImages());
    double seconds = record.getStepSeconds();
    return new StepLine(
        record.getStep(),
        record.getEpoch(),
        attempt,
        record.getLearningRate(),
        record.getImages(),
        loss.getTotal(),
        loss.getBase(),
        distilled ? loss.getDistillation() : null,
        loss.getStudentCorrect() / images,
        distilled ? loss.getTeacherCorrect() / images : null,
        record.getGradientNorm(),
        seconds,
        record.getDataWaitSeconds(),
        seconds > 0 ? record.getImages() / seconds : 0,
        record.getSpansList().stream()
            .filter(span -> COMPUTING.contains(span.getOperation()))
            .mapToDouble(StepLine::seconds)
            .sum(),
        teachers == null ? null : teachers.busySeconds,
        teachers == null ? null : teachers.ready,
        teachers == null ? null : teachers.redone);
  }

  static double seconds(Span span) {
    return (span.getEndNanos() - span.getStartNanos()) / 1e9;
  }
}
