package org.maskedkd.coordinator;

import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.StepFailed;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

/**
 * Leads one training step from its plan to its record: what the student has run forward goes to the
 * teachers at once; each signal is paired, by key and never by arrival, with the student's logits,
 * and their loss gradient goes back. Event loop only.
 */
final class StepExecutor {

  /**
   * A committed step.
   *
   * @param teachers null without teachers
   */
  record Result(StepRecord record, StepLine.@Nullable Teachers teachers) {}

  private final StudentLink student;
  private final @Nullable TeacherPool pool;
  private final ForwardedInbox inbox;
  private final LossFunction loss;
  private final int classes;
  private final Supplier<String> wayOut;

  /** Forwarded, and waiting for the teacher's signal. */
  private final Map<Integer, ForwardedBatch> pending = new HashMap<>();

  private final BitSet forwarded = new BitSet();
  private final BitSet answered = new BitSet();
  private StepPlan plan = StepPlan.getDefaultInstance();
  private int batch;
  private double teacherSeconds;
  private long dropped;

  /**
   * @param pool null without teachers
   * @param wayOut what a failed run can go on from, for messages
   */
  StepExecutor(
      StudentLink student,
      @Nullable TeacherPool pool,
      ForwardedInbox inbox,
      LossFunction loss,
      int classes,
      Supplier<String> wayOut) {
    this.student = student;
    this.pool = pool;
    this.inbox = inbox;
    this.loss = loss;
    this.classes = classes;
    this.wayOut = wayOut;
  }

  /** The student's messages that belonged to no micro-batch in flight. */
  long dropped() {
    return dropped;
  }

  /**
   * Leads the step whose plan the student has.
   *
   * @param allForwarded run once, when every forward is done and at least one backward is still to
   *     come: the time to send the next plan
   */
  Result run(StepPlan newPlan, Runnable allForwarded) {
    plan = newPlan;
    batch = newPlan.getMicroBatchSizesList().stream().mapToInt(Integer::intValue).sum();
    pending.clear();
    forwarded.clear();
    answered.clear();
    inbox.clear();
    teacherSeconds = 0;
    long redoneBefore = 0;
    if (pool != null) {
      pool.begin(this::answered);
      redoneBefore = pool.redone();
    }
    while (true) {
      StudentEvent event = student.next();
      switch (event.getEventCase()) {
        case FORWARDED -> forwarded(event.getForwarded(), allForwarded);
        case STEP_DONE -> {
          if (ours(
              event.getStepDone().getRun(),
              event.getStepDone().getAttempt(),
              event.getStepDone().getRecord().getStep())) {
            return result(event.getStepDone().getRecord(), redoneBefore);
          }
          dropped++;
        }
        case STEP_FAILED -> failed(event.getStepFailed());
        case PROBE_DONE,
            EVALUATE_PROGRESS,
            EVALUATED,
            CHECKPOINTED,
            RESTORED,
            EXPORTED,
            EVENT_NOT_SET ->
            throw new RunException(
                ExitCode.INTERNAL,
                student.name()
                    + " sent "
                    + event.getEventCase()
                    + " in the midst of step "
                    + plan.getStep());
      }
    }
  }

  private boolean ours(String run, int attempt, long step) {
    return run.equals(plan.getRun()) && attempt == plan.getAttempt() && step == plan.getStep();
  }

  private Result result(StepRecord record, long redoneBefore) {
    if (answered.cardinality() != plan.getMicroBatchSizesCount()) {
      throw new RunException(
          ExitCode.INTERNAL,
          String.format(
              "%s ended step %d after %d of %d gradients",
              student.name(),
              plan.getStep(),
              answered.cardinality(),
              plan.getMicroBatchSizesCount()));
    }
    return new Result(
        record,
        pool == null
            ? null
            : new StepLine.Teachers(teacherSeconds, pool.ready(), pool.redone() - redoneBefore));
  }

  private void failed(StepFailed failure) {
    if (!ours(failure.getRun(), failure.getAttempt(), failure.getStep())) {
      dropped++;
      return;
    }
    throw new RunException(
        ExitCode.INTERNAL,
        "step "
            + plan.getStep()
            + " failed in the student: "
            + failure.getReason()
            + "; "
            + wayOut.get());
  }

  private void forwarded(Forwarded frame, Runnable allForwarded) {
    MicroBatchKey key = frame.getKey();
    int index = key.getIndex();
    if (!ours(key.getRun(), key.getAttempt(), key.getStep())
        || index < 0
        || index >= plan.getMicroBatchSizesCount()
        || forwarded.get(index)) {
      dropped++;
      return;
    }
    int samples = plan.getMicroBatchSizes(index);
    ForwardedBatch micro = inbox.add(frame, samples);
    if (micro == null) {
      return;
    }
    if (micro.samples() != samples) {
      throw new RunException(
          ExitCode.INTERNAL,
          String.format(
              "%s sent %d samples as %s, expected %d",
              student.name(), micro.samples(), Keys.describe(key), samples));
    }
    forwarded.set(index);
    if (pool != null && micro.work() != null) {
      pending.put(index, micro);
      pool.submit(micro.work());
    }
    if (forwarded.cardinality() == plan.getMicroBatchSizesCount()) {
      allForwarded.run();
    }
    if (pool == null) {
      backward(micro, null);
    }
  }

  private void answered(TeacherAnswer answer) {
    ForwardedBatch micro = pending.remove(answer.key().getIndex());
    if (micro == null || !micro.key().equals(answer.key())) {
      throw new IllegalStateException("a signal without its forward: " + answer.key());
    }
    teacherSeconds += StepLine.seconds(answer.span());
    backward(micro, answer.logits());
  }

  private void backward(ForwardedBatch micro, float @Nullable [] teacher) {
    float[] gradient = new float[micro.logits().length];
    LossParts parts = loss.apply(micro.logits(), teacher, micro.target(), classes, batch, gradient);
    if (!Double.isFinite(parts.getTotal())) {
      throw new RunException(ExitCode.INTERNAL, notFinite(micro, teacher, parts));
    }
    answered.set(micro.key().getIndex());
    List<List<Tensor>> groups =
        TensorFrames.cut(
            List.of(TensorFrames.floats("logits_gradient", gradient, micro.samples(), classes)));
    for (int i = 0; i < groups.size(); i++) {
      Backward.Builder message =
          Backward.newBuilder().setKey(micro.key()).addAllTensors(groups.get(i));
      if (i == groups.size() - 1) {
        message.setLast(true).setLoss(parts);
      }
      student.send(StudentCommand.newBuilder().setBackward(message).build());
    }
  }

  private String notFinite(ForwardedBatch micro, float @Nullable [] teacher, LossParts parts) {
    String cause =
        !allFinite(micro.logits())
            ? "the student's logits are not finite: lower optimizer.learning-rate, or set"
                + " optimizer.clip-norm"
            : !allFinite(micro.target())
                ? "the target is not finite"
                : teacher != null && !allFinite(teacher)
                    ? "the teacher's logits are not finite: check its weights and precision"
                    : "it is out of range";
    return String.format(
        "the loss of %s is %s: %s; %s",
        Keys.describe(micro.key()), parts.getTotal(), cause, wayOut.get());
  }

  private static boolean allFinite(float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }
}
