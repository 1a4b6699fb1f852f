package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Offered;
import org.maskedkd.proto.v1.StepFailed;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.ClockOffset;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.LogContext;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.schedule.Action;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Span;

/**
 * Leads one training step from its plan to its record: what the student has run forward goes to the
 * teachers at once; each signal is paired, by key and never by arrival, with the student's logits,
 * and their loss gradient goes back. What the student looks ahead at for the next step goes to the
 * teachers behind that, and their answers wait for the next step's forwards. Event loop only.
 */
final class StepExecutor {

  /**
   * A committed step.
   *
   * @param own what all devices did for this step
   * @param ahead what teachers did meanwhile for the next one; grows as long as they answer
   * @param teachers that are there
   * @param redone micro-batches that a lost teacher had
   */
  record Result(StepRecord record, MeasuredStep own, List<Span> ahead, int teachers, long redone) {

    /** What all devices did, as far as it is known. */
    MeasuredStep measured() {
      return own.with(ahead);
    }
  }

  /** What a student's spans are called on the wire. */
  private static final Map<String, Operation> OPERATIONS =
      Map.of(
          "choose", Operation.CHOOSE,
          "forward", Operation.FORWARD,
          "look-ahead", Operation.LOOK_AHEAD,
          "backward", Operation.BACKWARD,
          "optimizer", Operation.OPTIMIZER);

  private final StudentLink student;
  private final @Nullable TeacherPool pool;
  private final ForwardedInbox inbox;
  private final LossFunction loss;
  private final int classes;
  private final Supplier<String> wayOut;
  private final RunMetrics metrics;

  /** Forwarded, and waiting for the teacher's signal. */
  private final Map<Integer, ForwardedBatch> pending = new HashMap<>();

  private final BitSet forwarded = new BitSet();
  private final BitSet answered = new BitSet();

  /** What the student was sent with its gradients. */
  private final LossParts.Builder sums = LossParts.newBuilder();

  /** Patches that the teachers' queue does not hold yet. */
  private final Map<Integer, MaskedWork> held = new HashMap<>();

  /** Signals that came before their forward, since the patches did. */
  private final Map<Integer, TeacherAnswer> early = new HashMap<>();

  /** Micro-batches of the next step that the teachers have got. */
  private final BitSet handedAhead = new BitSet();

  private final Map<Integer, TeacherAnswer> answeredAhead = new HashMap<>();

  /** What the teachers did in this step for the next one, and in the step before for this one. */
  private List<Span> spansAhead = new ArrayList<>();

  private List<Span> spansBefore = new ArrayList<>();

  private final String run;
  private @Nullable PlannedStep current;
  private int queued;
  private final List<Span> teacherSpans = new ArrayList<>();
  private long dropped;

  /**
   * @param run its name
   * @param pool null without teachers
   * @param wayOut what a failed run can go on from, for messages
   */
  StepExecutor(
      String run,
      StudentLink student,
      @Nullable TeacherPool pool,
      ForwardedInbox inbox,
      LossFunction loss,
      int classes,
      Supplier<String> wayOut,
      RunMetrics metrics) {
    this.run = run;
    this.student = student;
    this.pool = pool;
    this.inbox = inbox;
    this.loss = loss;
    this.classes = classes;
    this.wayOut = wayOut;
    this.metrics = metrics;
  }

  /** The student's messages that belonged to no micro-batch in flight. */
  long dropped() {
    return dropped;
  }

  /**
   * Leads the step whose plan the student has.
   *
   * @param allForwarded run once, when every forward is done and the student has at least one
   *     backward to do: the time to send the next plan
   */
  Result run(PlannedStep plan, Runnable allForwarded) {
    current = plan;
    LogContext.step(plan.step());
    pending.clear();
    held.clear();
    early.clear();
    if (plan.schedule().stale() > 0) {
      early.putAll(answeredAhead);
    }
    answeredAhead.clear();
    handedAhead.clear();
    spansBefore = spansAhead;
    spansAhead = new ArrayList<>();
    queued = plan.schedule().stale();
    forwarded.clear();
    answered.clear();
    sums.clear();
    inbox.clear();
    teacherSpans.clear();
    student.clock().ask();
    long redoneBefore = 0;
    if (pool != null) {
      pool.begin(plan.step(), this::arrived);
      pool.askClocks();
      redoneBefore = pool.redone();
    }
    while (true) {
      StudentEvent event = student.next();
      switch (event.getEventCase()) {
        case OFFERED -> offered(event.getOffered());
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
            PROFILED,
            EVENT_NOT_SET ->
            throw new RunException(
                ExitCode.INTERNAL,
                student.name()
                    + " sent "
                    + event.getEventCase()
                    + " in the midst of step "
                    + plan.step());
      }
    }
  }

  private PlannedStep plan() {
    return Objects.requireNonNull(current, "no step was begun");
  }

  private int count() {
    return plan().schedule().sizes().size();
  }

  private boolean ours(String ofRun, int attempt, long step) {
    return ofRun.equals(run) && attempt == plan().attempt() && step == plan().step();
  }

  /** Whether it is a micro-batch of the next step that this one looks ahead at. */
  private boolean ahead(MicroBatchKey key) {
    return key.getRun().equals(run)
        && key.getAttempt() == plan().attempt()
        && key.getStep() == plan().step() + 1
        && key.getIndex() >= 0
        && key.getIndex() < plan().schedule().ahead().size();
  }

  private boolean ours(MicroBatchKey key) {
    return ours(key.getRun(), key.getAttempt(), key.getStep())
        && key.getIndex() >= 0
        && key.getIndex() < count();
  }

  private Result result(StepRecord record, long redoneBefore) {
    if (answered.cardinality() != count()) {
      throw new RunException(
          ExitCode.INTERNAL,
          String.format(
              "%s ended step %d after %d of %d gradients",
              student.name(), plan().step(), answered.cardinality(), count()));
    }
    PeerCheck.record(student.name(), plan(), record, sums.build());
    int ahead = plan().schedule().ahead().size();
    if (handedAhead.cardinality() != ahead) {
      throw new RunException(
          ExitCode.INTERNAL,
          String.format(
              "%s ended step %d after looking ahead at %d of %d micro-batches",
              student.name(), plan().step(), handedAhead.cardinality(), ahead));
    }
    return new Result(
        record,
        measured(record),
        spansAhead,
        pool == null ? 0 : pool.ready(),
        pool == null ? 0 : pool.redone() - redoneBefore);
  }

  private MeasuredStep measured(StepRecord record) {
    ClockOffset clock = student.clock().offset();
    double error = clock.errorSeconds();
    List<Span> spans = new ArrayList<>();
    double end = 0;
    for (org.maskedkd.proto.v1.Span span : record.getSpansList()) {
      Operation operation = OPERATIONS.get(span.getOperation());
      if (operation != null) {
        Span converted = span(span, Span.STUDENT, operation, clock);
        spans.add(converted);
        end = Math.max(end, converted.end());
      }
    }
    spans.addAll(teacherSpans);
    if (pool != null) {
      error = Math.max(error, pool.clockError());
    }
    return new MeasuredStep(
        plan().step(),
        plan().schedule(),
        pool == null ? 0 : pool.size(),
        vacant(spans),
        end - record.getStepSeconds(),
        end,
        record.getDataWaitSeconds(),
        spans,
        error);
  }

  private Set<Integer> vacant(List<Span> spans) {
    Set<Integer> vacant = new HashSet<>();
    if (pool != null) {
      pool.vacant().forEach(place -> vacant.add(1 + place));
    }
    spans.forEach(span -> vacant.remove(span.device()));
    return vacant;
  }

  private static Span span(
      org.maskedkd.proto.v1.Span span, int device, Operation operation, ClockOffset clock) {
    return new Span(
        device,
        operation,
        span.getIndex(),
        clock.toLocal(span.getStartNanos()) / 1e9,
        clock.toLocal(span.getEndNanos()) / 1e9,
        span.getCpuNanos() > 0 ? span.getCpuNanos() / 1e9 : Double.NaN);
  }

  private void failed(StepFailed failure) {
    if (!ours(failure.getRun(), failure.getAttempt(), failure.getStep())) {
      dropped++;
      return;
    }
    if (failure.getNotFinite()) {
      metrics.nonFinite(plan().step());
    }
    throw new RunException(
        ExitCode.INTERNAL,
        "step "
            + plan().step()
            + " failed in the student: "
            + failure.getReason()
            + "; "
            + wayOut.get());
  }

  private void offered(Offered frame) {
    int index = frame.getKey().getIndex();
    if (ahead(frame.getKey()) && !handedAhead.get(index)) {
      MaskedWork work = inbox.add(frame, plan().schedule().ahead().get(index));
      if (work != null) {
        handedAhead.set(index);
        Objects.requireNonNull(pool).submit(work);
      }
      return;
    }
    if (!ours(frame.getKey()) || forwarded.get(index)) {
      dropped++;
      return;
    }
    MaskedWork work = inbox.add(frame, plan().schedule().sizes().get(index));
    if (work != null) {
      queue(index, work);
    }
  }

  private void forwarded(Forwarded frame, Runnable allForwarded) {
    MicroBatchKey key = frame.getKey();
    int index = key.getIndex();
    if (!ours(key) || forwarded.get(index)) {
      dropped++;
      return;
    }
    int samples = plan().schedule().sizes().get(index);
    boolean withPatches = !plan().schedule().offers() && index >= plan().schedule().stale();
    ForwardedBatch micro = inbox.add(frame, samples, withPatches);
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
    pair(micro);
    if (forwarded.cardinality() == count()) {
      // A teacher must not wait for what the next step needs.
      student.flush();
      allForwarded.run();
    }
  }

  /** Sees to the signal of what was run forward. */
  private void pair(ForwardedBatch micro) {
    int index = micro.key().getIndex();
    if (pool == null) {
      backward(micro, null, List.of());
      return;
    }
    pending.put(index, micro);
    if (micro.work() != null) {
      queue(index, micro.work());
    }
    TeacherAnswer answer = early.remove(index);
    if (answer != null) {
      answered(answer);
    }
  }

  /** Hands over what the schedule's queue of the teachers has next, as far as it is there. */
  private void queue(int index, MaskedWork work) {
    held.put(index, work);
    List<Action> actions = plan().schedule().teachers();
    for (; queued < actions.size(); queued++) {
      Action next = actions.get(queued);
      if (next.operation() == Operation.AWAIT) {
        if (forwarded.cardinality() < count()) {
          return;
        }
      } else {
        MaskedWork there = held.remove(next.index());
        if (there == null) {
          return;
        }
        Objects.requireNonNull(pool).submit(there);
      }
    }
  }

  private void arrived(TeacherAnswer answer) {
    int index = answer.key().getIndex();
    if (answer.key().getStep() > plan().step()) {
      answeredAhead.put(index, answer);
      spansAhead.add(span(answer, Operation.LOOK_AHEAD));
      return;
    }
    if (index < plan().schedule().stale()) {
      spansBefore.add(span(answer, Operation.LOOK_AHEAD));
    }
    answered(answer);
  }

  private Span span(TeacherAnswer answer, Operation operation) {
    ClockOffset clock = Objects.requireNonNull(pool).clock(answer.teacher());
    return span(answer.span(), 1 + answer.teacher(), operation, clock);
  }

  private void answered(TeacherAnswer answer) {
    int index = answer.key().getIndex();
    ForwardedBatch micro = pending.remove(index);
    if (micro == null && !forwarded.get(index)) {
      early.put(index, answer);
      return;
    }
    if (micro == null || !micro.key().equals(answer.key())) {
      throw new IllegalStateException("a signal without its forward: " + answer.key());
    }
    teacherSpans.add(span(answer, Operation.TEACHER));
    backward(micro, answer.logits(), answer.features());
  }

  /**
   * @param features of the teacher, for the student to compare with its own
   */
  private void backward(ForwardedBatch micro, float @Nullable [] teacher, List<Tensor> features) {
    StudentLogits gradient = micro.logits().blank();
    LossParts parts =
        loss.apply(
            micro.logits(), teacher, micro.target(), classes, plan().schedule().batch(), gradient);
    if (!Double.isFinite(parts.getTotal())) {
      metrics.nonFinite(plan().step());
      throw new RunException(ExitCode.INTERNAL, notFinite(micro, teacher, parts));
    }
    answered.set(micro.key().getIndex());
    sums.setTotal(sums.getTotal() + parts.getTotal())
        .setBase(sums.getBase() + parts.getBase())
        .setDistillation(sums.getDistillation() + parts.getDistillation())
        .setStudentCorrect(sums.getStudentCorrect() + parts.getStudentCorrect())
        .setTeacherCorrect(sums.getTeacherCorrect() + parts.getTeacherCorrect());
    List<Tensor> tensors = new ArrayList<>();
    tensors.add(TensorFrames.floats("logits_gradient", gradient.main(), micro.samples(), classes));
    float[] second = gradient.distillation();
    if (second != null) {
      tensors.add(
          TensorFrames.floats("distillation_logits_gradient", second, micro.samples(), classes));
    }
    tensors.addAll(features);
    List<List<Tensor>> groups = TensorFrames.cut(tensors);
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
        !allFinite(micro.logits().main()) || !allFinite(micro.logits().distillation())
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

  private static boolean allFinite(float @Nullable [] values) {
    if (values == null) {
      return true;
    }
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }
}
