package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.schedule.Idle;
import org.maskedkd.schedule.IdleCause;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Span;

/** What a coordinator shows of its run. Event loop only. */
final class RunMetrics {
  private final Metrics metrics;
  private final DoubleSupplier unixSeconds;
  private long nonFiniteStep;
  private boolean begun;

  /**
   * @param run its name
   * @param unixSeconds the time of day
   */
  RunMetrics(Metrics metrics, String run, DoubleSupplier unixSeconds) {
    this.metrics = metrics;
    this.unixSeconds = unixSeconds;
    for (RunPhase phase : RunPhase.values()) {
      metrics.set(Metric.PHASE, 0, phase.text());
    }
    metrics.set(Metric.RUN_INFO, 1, run);
    metrics.set(Metric.QUEUE, 0);
    metrics.set(Metric.IN_FLIGHT, 0);
  }

  /** From one to the other; they may be the same. */
  void phase(RunPhase before, RunPhase now) {
    metrics.set(Metric.PHASE, 0, before.text());
    metrics.set(Metric.PHASE, 1, now.text());
  }

  /**
   * Training begins, or goes on after the student was lost.
   *
   * @param from the last step that is done
   * @param checkpointed the last step with a checkpoint, 0 for none; null if that is not known,
   *     which takes nothing back that is
   */
  void begin(long from, long lastStep, @Nullable Long checkpointed) {
    metrics.set(Metric.LAST_STEP, from);
    metrics.set(Metric.PLANNED_STEPS, lastStep);
    if (checkpointed != null) {
      metrics.set(Metric.CHECKPOINT_STEP, checkpointed);
    }
    if (!begun) {
      begun = true;
      metrics.set(Metric.CHECKPOINT_TIME, unixSeconds.getAsDouble());
    }
  }

  /**
   * A step that was committed.
   *
   * @param skippedImages of the run so far
   */
  void step(StepLine line, MeasuredStep measured, double keptRatio, long skippedImages) {
    metrics.add(Metric.STEPS);
    metrics.add(Metric.IMAGES, line.images());
    metrics.record(Metric.STEP_SECONDS, Duration.ofNanos(Math.round(line.stepSeconds() * 1e9)));
    metrics.set(Metric.LAST_STEP, line.step());
    metrics.set(Metric.EPOCH, line.epoch());
    metrics.set(Metric.LEARNING_RATE, line.learningRate());
    metrics.set(Metric.GRADIENT_NORM, line.gradientNorm());
    loss("total", line.loss());
    loss("base", line.lossBase());
    loss("distillation", line.lossDistillation());
    loss("manifold", line.lossManifold());
    loss("attention", line.lossAttention());
    metrics.set(Metric.TRAIN_TOP1, line.studentTop1(), "student");
    if (line.teacherTop1() != null) {
      metrics.set(Metric.TRAIN_TOP1, line.teacherTop1(), "teacher");
      metrics.set(Metric.KEPT_RATIO, keptRatio);
    }
    show(Metric.STALE_MASKS, line.staleMaskFraction());
    show(Metric.MASK_AGREEMENT, line.maskAgreement());
    metrics.add(Metric.DATA_WAIT, line.dataWaitSeconds());
    metrics.add(Metric.DATA_CPU, line.dataCpuSeconds());
    metrics.set(Metric.SKIPPED_IMAGES, skippedImages);
    pipeline(line, measured);
  }

  private void loss(String part, @Nullable Double value) {
    if (value != null) {
      metrics.set(Metric.LOSS, value, part);
    }
  }

  /** What is not known of a step must not be that of one before. */
  private void show(Metric gauge, @Nullable Double value) {
    if (value == null) {
      metrics.remove(gauge);
    } else {
      metrics.set(gauge, value);
    }
  }

  private void pipeline(StepLine line, MeasuredStep measured) {
    metrics.set(Metric.STEP_MICROBATCHES, measured.schedule().sizes().size());
    metrics.set(Metric.WINDOW, measured.schedule().window());
    metrics.set(Metric.CLOCK_ERROR, measured.clockError());
    StepLine.Pipeline pipeline = line.pipeline();
    show(Metric.BUBBLE, pipeline == null ? null : pipeline.bubble());
    show(Metric.IMBALANCE, pipeline == null ? null : pipeline.imbalance());
    show(Metric.STEP_PREDICTED, pipeline == null ? null : pipeline.predictedStepSeconds());
    show(Metric.STEP_BARE, pipeline == null ? null : pipeline.bareStepSeconds());
    for (Idle idle : measured.idle()) {
      String device = StepLine.deviceName(idle.device());
      busy(measured, idle)
          .forEach(
              (operation, seconds) ->
                  metrics.add(Metric.DEVICE_BUSY, seconds, device, text(operation)));
      for (IdleCause cause : IdleCause.values()) {
        metrics.add(Metric.DEVICE_IDLE, idle.of(cause), device, cause.text());
      }
    }
  }

  /** The device's busy time by operation; where spans overlap, each gets its part of what is. */
  private static Map<Operation, Double> busy(MeasuredStep measured, Idle idle) {
    Map<Operation, Double> seconds = new EnumMap<>(Operation.class);
    double sum = 0;
    for (Span span : measured.spans()) {
      double inside =
          Math.min(span.end(), measured.end()) - Math.max(span.start(), measured.start());
      if (span.device() == idle.device() && inside > 0) {
        seconds.merge(span.operation(), inside, Double::sum);
        sum += inside;
      }
    }
    double all = sum;
    seconds.replaceAll((operation, part) -> part * idle.busy() / all);
    return seconds;
  }

  private static String text(Operation operation) {
    return operation.name().toLowerCase(Locale.ROOT);
  }

  /** An epoch that was evaluated, or was not. */
  void epoch(EpochLine line) {
    evaluation("top1", "model", line.top1());
    evaluation("top5", "model", line.top5());
    evaluation("top1", "averaged", line.emaTop1());
    evaluation("top5", "averaged", line.emaTop5());
    if (line.loss() != null) {
      metrics.set(Metric.EVALUATION_LOSS, line.loss());
    }
  }

  private void evaluation(String measure, String weights, @Nullable Double ratio) {
    if (ratio != null) {
      metrics.set(Metric.EVALUATION, ratio, measure, weights);
    }
  }

  void checkpoint(Checkpointed done) {
    metrics.add(Metric.CHECKPOINTS);
    metrics.set(Metric.CHECKPOINT_STEP, done.getStep());
    metrics.set(Metric.CHECKPOINT_TIME, unixSeconds.getAsDouble());
    metrics.set(Metric.CHECKPOINT_SECONDS, done.getSeconds());
    metrics.set(Metric.CHECKPOINT_BYTES, done.getBytes());
  }

  /** A checkpoint or an export could not be written. */
  void writeFailed() {
    metrics.add(Metric.CHECKPOINT_FAILURES);
  }

  /** A loss of this step is not finite, or its gradient; further losses may be so too. */
  void nonFinite(long step) {
    if (step != nonFiniteStep) {
      nonFiniteStep = step;
      metrics.add(Metric.NON_FINITE);
    }
  }

  /** A stage is lost, and is to be connected to again. */
  void lost(String peer) {
    metrics.add(Metric.RECONNECTS, peer);
  }

  /**
   * How the pool stands.
   *
   * @param waiting micro-batches that no teacher has
   * @param given those that teachers have
   */
  void pool(int waiting, int given) {
    metrics.set(Metric.QUEUE, waiting);
    metrics.set(Metric.IN_FLIGHT, given);
  }

  void teacher(int place, boolean works) {
    metrics.set(Metric.TEACHER_UP, works ? 1 : 0, Integer.toString(place));
  }

  /** The teacher has left for good. */
  void teacherLeft(int place) {
    metrics.remove(Metric.TEACHER_UP, Integer.toString(place));
  }

  /**
   * @param reason {@code lost} or {@code late}
   */
  void retried(int count, String reason) {
    metrics.add(Metric.RETRIES, count, reason);
  }

  void hedged() {
    metrics.add(Metric.HEDGES);
  }

  /**
   * @param duplicate whether there was an answer already, else it is of another step or run
   */
  void droppedAnswer(boolean duplicate) {
    metrics.add(Metric.DROPPED_ANSWERS, duplicate ? "duplicate" : "stale");
  }

  /** A micro-batch was answered. */
  void answered(AnswerTimes.Times times) {
    metrics.add(Metric.MICROBATCHES);
    metrics.record(Metric.MICROBATCH_SECONDS, Duration.ofNanos(Math.round(times.total() * 1e9)));
    metrics.add(Metric.MICROBATCH_PARTS, times.queue(), "queue");
    metrics.add(Metric.MICROBATCH_PARTS, times.waiting(), "wait");
    metrics.add(Metric.MICROBATCH_PARTS, times.compute(), "compute");
    metrics.add(Metric.MICROBATCH_PARTS, times.back(), "return");
  }
}
