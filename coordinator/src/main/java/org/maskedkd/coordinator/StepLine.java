package org.maskedkd.coordinator;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.schedule.Idle;
import org.maskedkd.schedule.IdleCause;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Span;

/**
 * A line of {@code metrics.jsonl}: one committed step. Losses are means over the batch, accuracies
 * shares of it; busy seconds are those of computing, of all teachers together.
 *
 * @param lossDistillation divergence from the teacher (temperature squared not included); null
 *     without a teacher
 * @param lossManifold difference of how patches relate, without the weight of the whole; null
 *     unless it is learned
 * @param lossAttention divergence of where the class tokens look, without its weight; null unless
 *     it is learned
 * @param teacherTop1 of the masked teacher; null without one
 * @param dataCpuSeconds CPU time of the student's process spent on making batches while the step
 *     ran
 * @param redone micro-batches of this step that a lost teacher had and another did again
 * @param staleMaskFraction share of the images whose patches were chosen one step earlier; null if
 *     none were
 * @param maskAgreement of these the mean share of patches that the step's own weights choose too
 * @param pipeline null for steps that an earlier coordinator led
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
    @Nullable Double lossManifold,
    @Nullable Double lossAttention,
    double studentTop1,
    @Nullable Double teacherTop1,
    double gradientNorm,
    double stepSeconds,
    double dataWaitSeconds,
    double dataCpuSeconds,
    double imagesPerSecond,
    double studentBusySeconds,
    @Nullable Double teacherBusySeconds,
    @Nullable Integer teachers,
    @Nullable Long redone,
    @Nullable Double staleMaskFraction,
    @Nullable Double maskAgreement,
    @Nullable Pipeline pipeline) {

  private static final Set<String> COMPUTING =
      Set.of("choose", "forward", "look-ahead", "backward", "optimizer");

  /**
   * How well the devices were used.
   *
   * @param bubble share of the step in which the busier side, student or teachers, was idle
   * @param imbalance share of the step by which the other side was less busy
   * @param predictedStepSeconds without waiting for data; null as long as the stages were not timed
   * @param bareStepSeconds simulated with the processor time that each task of this very step took
   *     and nothing between the tasks; null where that time is not known
   * @param idleSeconds per device and cause
   */
  record Pipeline(
      double bubble,
      double imbalance,
      @Nullable Double predictedStepSeconds,
      @Nullable Double bareStepSeconds,
      Map<String, Map<String, Double>> idleSeconds) {}

  /**
   * What only the coordinator knows of a step.
   *
   * @param ready teachers that are there
   */
  record Seen(MeasuredStep measured, int ready, long redone, double predictedSeconds) {

    private double teacherBusySeconds() {
      // Durations, since they hold whatever the clocks of the stages say.
      return measured.spans().stream()
          // One that runs on into the next step is that one's.
          .filter(span -> span.operation() == Operation.TEACHER)
          .mapToDouble(Span::duration)
          .sum();
    }

    private Pipeline pipeline() {
      return new Pipeline(
          measured.utilization().bubble(),
          measured.utilization().imbalance(),
          Double.isNaN(predictedSeconds) ? null : predictedSeconds,
          BareStep.seconds(measured),
          idle());
    }

    private Map<String, Map<String, Double>> idle() {
      Map<String, Map<String, Double>> devices = new LinkedHashMap<>();
      for (Idle idle : measured.idle()) {
        Map<String, Double> causes = new LinkedHashMap<>();
        for (IdleCause cause : IdleCause.values()) {
          causes.put(cause.text(), idle.of(cause));
        }
        devices.put(deviceName(idle.device()), causes);
      }
      return devices;
    }
  }

  /** {@code student} or {@code teacher-0} and so on. */
  static String deviceName(int device) {
    return device == Span.STUDENT ? "student" : "teacher-" + (device - 1);
  }

  /**
   * @param config says what is learned; a loss of exactly 0 is one
   * @param seen null when it is not known, as for steps that an earlier coordinator led
   */
  static StepLine of(StepRecord record, int attempt, RunConfig config, @Nullable Seen seen) {
    boolean distilled = config.distils();
    RunConfig.Distillation learned = config.distillation();
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
        distilled && learned.manifold().weight() > 0 ? loss.getManifold() : null,
        distilled && learned.attention().weight() > 0 ? loss.getAttention() : null,
        loss.getStudentCorrect() / images,
        distilled ? loss.getTeacherCorrect() / images : null,
        record.getGradientNorm(),
        seconds,
        record.getDataWaitSeconds(),
        record.getDataCpuSeconds(),
        seconds > 0 ? record.getImages() / seconds : 0,
        record.getSpansList().stream()
            .filter(span -> COMPUTING.contains(span.getOperation()))
            .mapToDouble(StepLine::seconds)
            .sum(),
        seen == null || !distilled ? null : seen.teacherBusySeconds(),
        seen == null || !distilled ? null : seen.ready,
        seen == null || !distilled ? null : seen.redone,
        record.getStaleSamples() == 0 ? null : record.getStaleSamples() / images,
        record.getStaleSamples() == 0 ? null : record.getMaskAgreement(),
        seen == null ? null : seen.pipeline());
  }

  private static double seconds(org.maskedkd.proto.v1.Span span) {
    return (span.getEndNanos() - span.getStartNanos()) / 1e9;
  }
}
