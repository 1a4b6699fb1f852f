package org.maskedkd.student;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepDone;
import org.maskedkd.proto.v1.StepFailed;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.runtime.Gpus;
import org.maskedkd.runtime.LogContext;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelInference;
import org.maskedkd.vit.NotFiniteException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One run's student: model, data, optimizer and checkpoints. Everything but {@link #committedStep}
 * and {@link #recordsSinceCheckpoint} is called on the training thread.
 */
final class StudentRun implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StudentRun.class);

  // A gradient of a whole batch of 16,384 images and 1000 classes still fits.
  private static final long MAX_GRADIENT_BYTES = 64L << 20;

  private final OpenStudent spec;
  private final Learner learner;
  private final StudentDevice device;
  private final StudentForward forward;
  private final RunData data;
  private final LookAhead ahead;
  private final @Nullable TeacherView teacherView;
  private final @Nullable Guide guide;
  private final EvaluationPasses passes;
  private final RunFolder folder;
  private final Numerics numerics;
  private final ModelInfo modelInfo;
  private final Metrics metrics;
  private final CommandCheck check;

  private final StepRecords records = new StepRecords();
  private volatile long committed;

  /** The last step of this stream failed, and plans that were sent ahead of that are void. */
  private boolean stepFailed;

  private StudentRun(
      OpenStudent spec,
      StudentOptions options,
      Metrics metrics,
      RunData data,
      @Nullable TeacherView teacherView,
      @Nullable Guide guide,
      StartingModel start) {
    ImageModel model = start.model();
    ModelConfig config = model.config();
    this.spec = spec;
    this.metrics = metrics;
    this.data = data;
    this.ahead = new LookAhead(data::take);
    this.learner = new Learner(model, spec.getOptimization());
    this.forward = new StudentForward(model, PatchChoice.row(spec.getMasking()));
    Objective objective = Objective.of(spec, config);
    this.check = new CommandCheck(spec, config, objective, teacherView, data.evalImages());
    SleepTimes sleep = options.sleep();
    this.device =
        sleep == null
            ? new ModelDevice(
                learner,
                forward,
                new FeatureLoss(objective, spec.getSeed()),
                spec.getStudent().getRecompute())
            : new SleepingDevice(sleep, config, objective);
    if (sleep != null) {
      log.warn("this student sleeps instead of computing: {}", sleep);
    }
    this.teacherView = teacherView;
    this.guide = guide;
    Numerics.Builder facts =
        Numerics.newBuilder()
            .putAllFacts(Torch.numerics())
            .putFacts("precision", model.precision().name())
            .putFacts("image_decoder", data.decoder());
    if (guide != null) {
      facts.putFacts("masking_weights", guide.digest());
    }
    this.numerics = facts.build();
    this.modelInfo = start.info();
    this.passes = new EvaluationPasses(data, learner, forward, teacherView);
    this.folder =
        new RunFolder(
            options.runRoot().resolve(spec.getRun()),
            checkpoints(spec, options),
            learner,
            records,
            numerics.getFactsMap(),
            new RunProvenance(spec, modelInfo, data));
  }

  /**
   * Builds model, data and optimizer.
   *
   * @param turns of the training thread and those that make its batches
   * @throws RuntimeException with a message for the user if anything in {@code spec} does not fit
   */
  static StudentRun open(OpenStudent spec, StudentOptions options, Metrics metrics, Turns turns) {
    ModelInference found = OpenCheck.check(spec, options.dataRoot());
    ModelConfig config = found.config();
    int threads = threads(spec, options);
    Torch.start(threads);
    // A run before this one may have used another number.
    Torch.useThreads(threads);
    config =
        config.withWantedStatistics(
            spec.getStudent().getMeanList(), spec.getStudent().getStdList());
    RunData data = RunData.open(spec, config, options.dataRoot(), turns);
    Guide guide = null;
    StartingModel start = null;
    boolean opened = false;
    try {
      config = config.withClasses(data.classes().size());
      CheckpointStore checkpoints = checkpoints(spec, options);
      // Nothing large is loaded before it is known that there is a place for it.
      checkpoints.newestStep();
      List<String> notices = new ArrayList<>(found.notices());
      TeacherView view = null;
      if (spec.hasTeacherGrid()) {
        Masking masking = spec.getMasking();
        if (masking.getCriterion() == Masking.Criterion.CRITERION_MODEL) {
          guide = Guide.open(masking, config, options.dataRoot());
          guide.notices().forEach(notice -> notices.add("masking.model: " + notice));
        }
        view =
            new TeacherView(
                spec.getTeacherGrid(),
                config,
                new PatchChoice(masking, config, guide, spec.getSeed()));
      }
      start = StartingModel.of(spec, config, notices, options.dataRoot());
      StudentRun run = new StudentRun(spec, options, metrics, data, view, guide, start);
      opened = true;
      return run;
    } finally {
      if (!opened) {
        if (start != null) {
          start.model().close();
        }
        if (guide != null) {
          guide.close();
        }
        data.close();
      }
    }
  }

  private static CheckpointStore checkpoints(OpenStudent spec, StudentOptions options) {
    return new CheckpointStore(options.runRoot().resolve(spec.getRun()).resolve("checkpoints"));
  }

  private static int threads(OpenStudent spec, StudentOptions options) {
    if (spec.getStudent().getThreads() > 0) {
      return spec.getStudent().getThreads();
    }
    return options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
  }

  String name() {
    return spec.getRun();
  }

  /** Whether this run was opened with the very same specification. */
  boolean matches(OpenStudent other) {
    return spec.toBuilder()
        .clearMaxMessageBytes()
        .build()
        .equals(other.toBuilder().clearMaxMessageBytes().build());
  }

  long committedStep() {
    return committed;
  }

  /**
   * The records that no checkpoint covers yet, the newest ones if they do not all fit; thread-safe.
   *
   * @param most bytes, as fields of a message
   */
  List<StepRecord> recordsSinceCheckpoint(int most) {
    return records.newest(most);
  }

  StudentOpened opened() {
    return StudentOpened.newBuilder()
        .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
        .setModel(modelInfo)
        .setNumerics(numerics)
        .addAllClasses(data.classes())
        .setTrainImages(data.trainImages())
        .setEvalImages(data.evalImages())
        .setDataFingerprint(data.fingerprint())
        .setCommittedStep(committed)
        .setMaxMessageBytes(MessageLimits.REQUEST_BYTES)
        .addAllGpus(Gpus.ofProcess())
        .setFeatures(device.objective().ofTeacher())
        .build();
  }

  /** The most that a step's gradients, and the teachers' features with them, can have. */
  long gradientBytes() {
    Objective objective = device.objective();
    int heads = objective.separateHeads() ? 2 : 1;
    long gradients = (long) heads * spec.getBatch() * modelInfo.getClasses() * Float.BYTES;
    long features = spec.getBatch() * objective.bytesPerImage(forward.config().patches());
    return Math.min(MAX_GRADIENT_BYTES, gradients)
        + Math.min(CommandCheck.mostFeatureBytes(), features);
  }

  /**
   * Commands come from a new stream from now on. What an earlier one left unfinished touched
   * neither weights nor optimizer, so the run goes on after the committed step.
   */
  void beginStream() {
    stepFailed = false;
  }

  /**
   * Whether the command can be carried out at all; nothing is done yet.
   *
   * @throws IllegalArgumentException naming what was expected and what was found
   */
  void check(StudentCommand command) {
    if (command.hasPlan() && stepFailed) {
      // It was sent ahead, before the coordinator knew, and will be dropped.
      return;
    }
    check.check(command);
    if (command.hasPlan()) {
      StepPlan plan = command.getPlan();
      if (plan.getStep() != committed + 1) {
        throw new IllegalArgumentException(
            "the plan is for step %d, but this student has committed step %d: the next is %d"
                .formatted(plan.getStep(), committed, committed + 1));
      }
      StepInterpreter.schedule(plan, spec.getBatch());
    }
    if (command.hasPlan() || command.hasCheckpoint() || command.hasExport()) {
      folder.requireWritable();
    }
  }

  void carryOut(StudentCommand command, Inbox inbox, Outbox<StudentEvent> outbox) throws Exception {
    switch (command.getCommandCase()) {
      case PLAN -> step(command.getPlan(), inbox, outbox);
      case PROBE -> passes.probe(command.getProbe(), inbox, outbox);
      case EVALUATE -> outbox.send(passes.evaluate(command.getEvaluate(), inbox, outbox));
      case CHECKPOINT -> outbox.send(folder.checkpoint(command.getCheckpoint(), committed));
      case RESTORE -> outbox.send(folder.restore(command.getRestore(), this::goBack));
      case EXPORT -> outbox.send(folder.export(command.getExport()));
      case PROFILE -> outbox.send(profile(command.getProfile(), inbox));
      case BACKWARD, COMMAND_NOT_SET ->
          throw new IllegalStateException(command.getCommandCase() + " is not a queued command");
    }
  }

  private void step(StepPlan plan, Inbox inbox, Outbox<StudentEvent> outbox)
      throws InterruptedException {
    if (stepFailed) {
      // It was sent ahead, before the coordinator knew.
      log.debug("dropped the plan of step {}, which followed a failed step", plan.getStep());
      return;
    }
    LogContext.step(plan.getStep());
    long dataBefore = data.cpuNanos();
    long begin = System.nanoTime();
    Batch batch = ahead.begin(plan.getStep());
    long ready = System.nanoTime();
    inbox.beginStep(
        plan.getRun(),
        plan.getAttempt(),
        plan.getStep(),
        plan.getMicroBatchSizesCount(),
        gradientBytes());
    try (TrainingStep step =
        new TrainingStep(
            plan,
            batch,
            device,
            forward.config(),
            teacherView,
            ahead,
            inbox,
            outbox::send,
            spec.getSeed(),
            spec.getStudent().getDropPath(),
            held -> metrics.set(Metric.HELD_SAMPLES, held))) {
      StepInterpreter.run(plan, batch.count(), step);
      double norm = step.optimize();
      long end = System.nanoTime();
      if (!Double.isFinite(norm)) {
        stepFailed = true;
        outbox.send(
            failed(
                plan,
                "the gradient's norm is " + norm + "; the weights were not touched",
                /* notFinite= */ true));
        return;
      }
      committed = plan.getStep();
      StepRecord record =
          StepRecord.newBuilder()
              .setStep(plan.getStep())
              .setEpoch(plan.getEpoch())
              .setLearningRate(plan.getLearningRate())
              .setImages(batch.count())
              .setLoss(step.meanLoss())
              .setGradientNorm(norm)
              .setDataWaitSeconds(seconds(ready - begin + step.dataWaitNanos()))
              .setDataCpuSeconds(seconds(data.cpuNanos() - dataBefore))
              .setStepSeconds(seconds(end - begin))
              .addAllSpans(step.spans())
              .setSkippedImages(data.skippedImages())
              .setStaleSamples(step.agreement().samples())
              .setMaskAgreement(step.agreement().mean())
              .build();
      records.add(record);
      outbox.send(
          StudentEvent.newBuilder()
              .setStepDone(
                  StepDone.newBuilder()
                      .setRun(plan.getRun())
                      .setAttempt(plan.getAttempt())
                      .setRecord(record))
              .build());
      // Afterwards, since the next step's plan is there already.
      metrics.add(Metric.STAGE_BUSY, busySeconds(step.spans()));
    } catch (NotFiniteException e) {
      learner.dropGradients();
      stepFailed = true;
      outbox.send(
          failed(
              plan,
              e.getMessage() + ": lower optimizer.learning-rate, or set optimizer.clip-norm",
              /* notFinite= */ true));
    } catch (StepAbandonedException e) {
      learner.dropGradients();
      stepFailed = true;
      log.info("step {} was abandoned: {}", plan.getStep(), e.getMessage());
      outbox.send(failed(plan, String.valueOf(e.getMessage()), /* notFinite= */ false));
    } finally {
      inbox.endStep();
    }
  }

  private static double busySeconds(List<Span> spans) {
    return seconds(spans.stream().mapToLong(s -> s.getEndNanos() - s.getStartNanos()).sum());
  }

  private static StudentEvent failed(StepPlan plan, String reason, boolean notFinite) {
    return StudentEvent.newBuilder()
        .setStepFailed(
            StepFailed.newBuilder()
                .setRun(plan.getRun())
                .setAttempt(plan.getAttempt())
                .setStep(plan.getStep())
                .setReason(reason)
                .setNotFinite(notFinite))
        .build();
  }

  private StudentEvent profile(Profile request, Inbox inbox) throws Exception {
    try {
      return StudentEvent.newBuilder()
          .setProfiled(
              new StudentProfile(
                      device,
                      forward.config(),
                      teacherView,
                      spec.getStudent().getDropPath(),
                      data.second())
                  .measure(request, inbox::isClosed))
          .build();
    } finally {
      learner.dropGradients();
    }
  }

  private void goBack(long step) {
    ahead.forget();
    committed = step;
    LogContext.step(step);
    stepFailed = false;
  }

  private static double seconds(long nanos) {
    return nanos / 1e9;
  }

  @Override
  public void close() {
    data.close();
    learner.close();
    if (guide != null) {
      guide.close();
    }
  }
}
