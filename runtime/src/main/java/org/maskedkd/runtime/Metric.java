package org.maskedkd.runtime;

import static org.maskedkd.runtime.Metric.Kind.COUNTER;
import static org.maskedkd.runtime.Metric.Kind.GAUGE;
import static org.maskedkd.runtime.Metric.Kind.HISTOGRAM;
import static org.maskedkd.runtime.Role.COORDINATOR;
import static org.maskedkd.runtime.Role.STUDENT;
import static org.maskedkd.runtime.Role.TEACHER;

import java.util.List;
import java.util.Set;

/**
 * Every metric of this project, as Prometheus knows it: {@code docs/metrics.md} is made from this
 * list, and {@link Metrics} exports nothing of ours that is not in it.
 *
 * <p>Names carry the prefix {@code maskedkd_} and base units. What adds up over time is a counter,
 * so that a missed scrape hides nothing and a ratio over any stretch is one of two rates. Labels
 * have a handful of values; {@code role} says which process it is, and pod and node are added by
 * whoever scrapes.
 */
public enum Metric {
  BUILD_INFO(
      "maskedkd_build_info",
      GAUGE,
      "Always 1; the label tells the release",
      "",
      Set.of(COORDINATOR, STUDENT, TEACHER),
      new Label("version", List.of(), "release")),

  // The run, as the coordinator sees it.
  RUN_INFO(
      "maskedkd_run_info",
      GAUGE,
      "Always 1; the label tells which run this coordinator leads",
      COORDINATOR,
      new Label("run", List.of(), "the run's name")),
  STEPS("maskedkd_steps_total", COUNTER, "Committed training steps", COORDINATOR),
  IMAGES("maskedkd_images_total", COUNTER, "Images of committed steps", COORDINATOR),
  STEP_SECONDS(
      "maskedkd_step_seconds",
      HISTOGRAM,
      "Time from a step's first forward to the update of the weights",
      COORDINATOR),
  LAST_STEP("maskedkd_last_step", GAUGE, "The last committed step", COORDINATOR),
  PLANNED_STEPS("maskedkd_planned_steps", GAUGE, "The step that the run ends after", COORDINATOR),
  EPOCH("maskedkd_epoch", GAUGE, "The epoch of the last step, from 0 on", COORDINATOR),
  PHASE(
      "maskedkd_phase",
      GAUGE,
      "1 for what the run does now, 0 for everything else",
      COORDINATOR,
      new Label(
          "phase",
          List.of(
              "starting",
              "profiling",
              "training",
              "evaluating",
              "checkpointing",
              "exporting",
              "waiting_for_student",
              "waiting_for_teacher",
              "ended"),
          "what the run does")),

  // The pipeline.
  DEVICE_BUSY(
      "maskedkd_device_busy_seconds_total",
      COUNTER,
      "Time of steps in which a device computed",
      "",
      Set.of(COORDINATOR),
      Label.DEVICE,
      new Label(
          "operation",
          List.of("choose", "forward", "look_ahead", "backward", "optimizer", "teacher"),
          "what it computed")),
  DEVICE_IDLE(
      "maskedkd_device_idle_seconds_total",
      COUNTER,
      "Time of steps in which a device waited; with the busy time of all operations it adds up to"
          + " the time of the steps",
      "",
      Set.of(COORDINATOR),
      Label.DEVICE,
      new Label(
          "cause", List.of("fill", "starved", "drain", "window", "transfer"), "why it waited")),
  BUBBLE(
      "maskedkd_bubble_ratio",
      GAUGE,
      "Share of the last step in which the busier side, student or teachers, was idle",
      COORDINATOR),
  IMBALANCE(
      "maskedkd_imbalance_ratio",
      GAUGE,
      "Share of the last step by which the other side was less busy",
      COORDINATOR),
  STEP_PREDICTED(
      "maskedkd_step_predicted_seconds",
      GAUGE,
      "What the simulation of the schedule says the last step should have taken, without waiting"
          + " for data",
      "once the stages were timed, so not with given micro-batches",
      Set.of(COORDINATOR)),
  STEP_BARE(
      "maskedkd_step_bare_seconds",
      GAUGE,
      "The last step simulated with the processor time that its own tasks took and nothing between"
          + " them",
      "where stages know their processor time: with one thread each",
      Set.of(COORDINATOR)),
  CLOCK_ERROR(
      "maskedkd_clock_error_seconds",
      GAUGE,
      "What times of different devices in the last step may be wrong by against each other",
      COORDINATOR),
  STEP_MICROBATCHES(
      "maskedkd_step_microbatches", GAUGE, "Micro-batches of the last step", COORDINATOR),
  WINDOW(
      "maskedkd_window_samples",
      GAUGE,
      "Samples whose activations the student may hold at once, in the last step's plan",
      COORDINATOR),
  QUEUE(
      "maskedkd_queue_microbatches",
      GAUGE,
      "Micro-batches that wait at the coordinator for a teacher",
      COORDINATOR),
  IN_FLIGHT(
      "maskedkd_inflight_microbatches", GAUGE, "Micro-batches that teachers have", COORDINATOR),

  // The pool.
  TEACHER_UP(
      "maskedkd_teacher_up",
      GAUGE,
      "1 while the teacher takes or finishes work of this run, else 0",
      "with a teacher",
      Set.of(COORDINATOR),
      new Label("teacher", List.of(), "its place in the pool, from 0 on")),
  MICROBATCHES(
      "maskedkd_microbatches_total", COUNTER, "Micro-batches that teachers answered", COORDINATOR),
  MICROBATCH_SECONDS(
      "maskedkd_microbatch_seconds",
      HISTOGRAM,
      "Time from a micro-batch's patches at the coordinator to its whole answer there",
      COORDINATOR),
  MICROBATCH_PARTS(
      "maskedkd_microbatch_part_seconds_total",
      COUNTER,
      "The same time by what it went into",
      COORDINATOR,
      new Label(
          "part",
          List.of("queue", "wait", "compute", "return"),
          "until a teacher got it; until that began; its forward; until the answer was here")),
  RETRIES(
      "maskedkd_microbatch_retries_total",
      COUNTER,
      "Micro-batches that were given out again",
      COORDINATOR,
      new Label(
          "reason", List.of("lost", "late"), "the teacher was lost, or let its deadline pass")),
  HEDGES(
      "maskedkd_microbatch_hedges_total",
      COUNTER,
      "Micro-batches that a second teacher got before the first one's deadline",
      COORDINATOR),
  DROPPED_ANSWERS(
      "maskedkd_dropped_answers_total",
      COUNTER,
      "Answers of teachers that were dropped",
      COORDINATOR,
      new Label(
          "kind", List.of("duplicate", "stale"), "there was one already; of another step or run")),
  RECONNECTS(
      "maskedkd_reconnects_total",
      COUNTER,
      "Times that a stage was lost that had not said that it would leave",
      COORDINATOR,
      new Label("peer", List.of("student", "teacher"), "which stage")),

  // What is learned.
  LOSS(
      "maskedkd_loss",
      GAUGE,
      "Mean loss of the last step",
      "",
      Set.of(COORDINATOR),
      new Label(
          "part",
          List.of("total", "base", "distillation", "manifold", "attention"),
          "all of it, or one part without its weight")),
  TRAIN_TOP1(
      "maskedkd_train_top1_ratio",
      GAUGE,
      "Share of the last step's images that were named right",
      "",
      Set.of(COORDINATOR),
      new Label("model", List.of("student", "teacher"), "who named them")),
  EVALUATION(
      "maskedkd_evaluation_ratio",
      GAUGE,
      "Share of the evaluation images that the student named right",
      "from the first evaluation on",
      Set.of(COORDINATOR),
      new Label("measure", List.of("top1", "top5"), "at once or among five"),
      new Label("weights", List.of("model", "averaged"), "the student's own or their average")),
  EVALUATION_LOSS(
      "maskedkd_evaluation_loss",
      GAUGE,
      "Mean loss on the evaluation images",
      "from the first evaluation on",
      Set.of(COORDINATOR)),
  LEARNING_RATE("maskedkd_learning_rate", GAUGE, "Learning rate of the last step", COORDINATOR),
  GRADIENT_NORM(
      "maskedkd_gradient_norm",
      GAUGE,
      "Norm of the last step's whole gradient, before clipping",
      COORDINATOR),
  NON_FINITE(
      "maskedkd_nonfinite_total",
      COUNTER,
      "Steps that were given up since a loss or the gradient was not finite; the run ends with the first",
      COORDINATOR),
  KEPT_RATIO(
      "maskedkd_kept_ratio",
      GAUGE,
      "Share of the patches that the last step was to show the teacher",
      "with a teacher",
      Set.of(COORDINATOR)),
  STALE_MASKS(
      "maskedkd_stale_mask_ratio",
      GAUGE,
      "Share of the last step's images whose patches were chosen one step earlier",
      "with schedule.stale-masks",
      Set.of(COORDINATOR)),
  MASK_AGREEMENT(
      "maskedkd_mask_agreement_ratio",
      GAUGE,
      "Of these the mean share of patches that the step's own weights choose too",
      "with schedule.stale-masks",
      Set.of(COORDINATOR)),

  // Data and checkpoints.
  DATA_WAIT(
      "maskedkd_data_wait_seconds_total",
      COUNTER,
      "Time that steps waited for their batch to be decoded",
      COORDINATOR),
  DATA_CPU(
      "maskedkd_data_cpu_seconds_total",
      COUNTER,
      "Processor time of the student spent on making batches while steps ran",
      COORDINATOR),
  SKIPPED_IMAGES(
      "maskedkd_skipped_images",
      GAUGE,
      "Training images that cannot be decoded and others stand in for",
      COORDINATOR),
  CHECKPOINTS("maskedkd_checkpoints_total", COUNTER, "Checkpoints written", COORDINATOR),
  CHECKPOINT_FAILURES(
      "maskedkd_checkpoint_failures_total",
      COUNTER,
      "Checkpoints and exports that could not be written",
      COORDINATOR),
  CHECKPOINT_TIME(
      "maskedkd_checkpoint_timestamp_seconds",
      GAUGE,
      "When this coordinator got its last checkpoint, in Unix time; before its first one, when it began to train",
      COORDINATOR),
  CHECKPOINT_STEP(
      "maskedkd_checkpoint_step",
      GAUGE,
      "The step of the last checkpoint, 0 for none",
      "not until the next one where a coordinator takes over a student that still has the run",
      Set.of(COORDINATOR)),
  CHECKPOINT_SECONDS(
      "maskedkd_checkpoint_write_seconds",
      GAUGE,
      "What the last checkpoint took to write",
      "from the first checkpoint on",
      Set.of(COORDINATOR)),
  CHECKPOINT_BYTES(
      "maskedkd_checkpoint_size_bytes",
      GAUGE,
      "Size of the last checkpoint",
      "from the first checkpoint on",
      Set.of(COORDINATOR)),

  // The stages themselves.
  STAGE_BUSY(
      "maskedkd_stage_busy_seconds_total",
      COUNTER,
      "Time in which this stage computed, whatever the run: a teacher for what it answered, a student for committed steps",
      "",
      Set.of(STUDENT, TEACHER)),
  HELD_SAMPLES("maskedkd_held_samples", GAUGE, "Samples whose activations are held now", STUDENT),
  TEACHER_RUNS("maskedkd_teacher_runs", GAUGE, "Runs that have a stream to this teacher", TEACHER),
  TEACHER_QUEUE(
      "maskedkd_teacher_queue_microbatches",
      GAUGE,
      "Micro-batches that this teacher has, the one it works on included",
      TEACHER),
  TEACHER_MICROBATCHES(
      "maskedkd_teacher_microbatches_total",
      COUNTER,
      "Micro-batches that this teacher answered",
      TEACHER),
  TEACHER_IMAGES(
      "maskedkd_teacher_images_total", COUNTER, "Images that this teacher answered for", TEACHER),
  TEACHER_REFUSED(
      "maskedkd_teacher_refused_total",
      COUNTER,
      "Micro-batches that this teacher refused, and streams that it broke off since what came did not fit or nobody read its answers",
      TEACHER),
  TEACHER_MACS(
      "maskedkd_teacher_macs_total",
      COUNTER,
      "Multiply-accumulates of this teacher's forward passes; matrix products only",
      TEACHER),
  TEACHER_SAVED_MACS(
      "maskedkd_teacher_saved_macs_total",
      COUNTER,
      "Multiply-accumulates more that all patches of the same images would have taken",
      TEACHER),

  // The wire.
  SENT_BYTES(
      "maskedkd_sent_bytes_total",
      COUNTER,
      "Bytes of messages sent, as they are on the wire but without TLS and HTTP/2 headers",
      "",
      Set.of(COORDINATOR, STUDENT, TEACHER),
      Label.PEER),
  RECEIVED_BYTES(
      "maskedkd_received_bytes_total",
      COUNTER,
      "Bytes of messages received, likewise",
      "",
      Set.of(COORDINATOR, STUDENT, TEACHER),
      Label.PEER);

  /** What Prometheus calls its type. */
  public enum Kind {
    COUNTER,
    GAUGE,
    /** Also has {@code _count}, {@code _sum} and {@code _max}, the largest of the last minutes. */
    HISTOGRAM
  }

  /**
   * A label beside {@code role}.
   *
   * @param values all there can be; empty where they are not known beforehand
   * @param meaning in words
   */
  public record Label(String name, List<String> values, String meaning) {
    static final Label DEVICE =
        new Label("device", List.of(), "`student`, or `teacher-0` and so on by place in the pool");
    static final Label PEER =
        new Label("peer", List.of(), "`student`, `teacher`, or at a stage `coordinator`");
  }

  private final String text;
  private final Kind kind;
  private final String help;
  private final String when;

  // Neither can be changed.
  @SuppressWarnings("ImmutableEnumChecker")
  private final Set<Role> roles;

  @SuppressWarnings("ImmutableEnumChecker")
  private final List<Label> labels;

  Metric(String text, Kind kind, String help, Role role, Label... labels) {
    this(text, kind, help, "", Set.of(role), labels);
  }

  Metric(String text, Kind kind, String help, String when, Set<Role> roles, Label... labels) {
    this.text = text;
    this.kind = kind;
    this.help = help;
    this.when = when;
    this.roles = roles;
    this.labels = List.of(labels);
  }

  /** As in queries: {@code maskedkd_steps_total}. */
  public String text() {
    return text;
  }

  public Kind kind() {
    return kind;
  }

  /** One sentence without a full stop. */
  public String help() {
    return help;
  }

  /** When it is exported; empty for always while there is a run. */
  public String when() {
    return when;
  }

  /** Processes that export it. */
  public Set<Role> roles() {
    return roles;
  }

  public List<Label> labels() {
    return labels;
  }
}
