package org.maskedkd.student;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.data.DataException;
import org.maskedkd.data.DataRoot;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.EvaluateProgress;
import org.maskedkd.proto.v1.Evaluated;
import org.maskedkd.proto.v1.Export;
import org.maskedkd.proto.v1.Exported;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.ProbeDone;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Restore;
import org.maskedkd.proto.v1.Restored;
import org.maskedkd.proto.v1.StepDone;
import org.maskedkd.proto.v1.StepFailed;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.WeightsChoice;
import org.maskedkd.runtime.MessageLimits;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.SafetensorsWriter;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.WeightsOrigin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One run's student: model, data, optimizer and checkpoints. Everything but {@link #committedStep}
 * and {@link #recordsSinceCheckpoint} is called on the training thread.
 */
final class StudentRun implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StudentRun.class);

  private static final int MOST_RECORDS = 100_000;

  private final OpenStudent spec;
  private final Learner learner;
  private final StudentDevice device;
  private final StudentForward forward;
  private final RunData data;
  private final LookAhead ahead;
  private final @Nullable TeacherView teacherView;
  private final CheckpointStore checkpoints;
  private final Path directory;
  private final Numerics numerics;
  private final ModelInfo modelInfo;
  private final RunProvenance provenance;
  private final Metrics metrics;
  private final CommandCheck check;

  private final List<StepRecord> records = new ArrayList<>();
  private volatile long committed;

  /** The last step of this stream failed, and plans that were sent ahead of that are void. */
  private boolean stepFailed;

  /** The run directory has checkpoints that were not restored: nothing may be written there yet. */
  private boolean begun;

  private StudentRun(
      OpenStudent spec,
      StudentOptions options,
      Metrics metrics,
      RunData data,
      @Nullable TeacherView teacherView,
      VisionTransformer model,
      WeightsOrigin origin) {
    this.spec = spec;
    this.metrics = metrics;
    this.data = data;
    this.ahead = new LookAhead(data::take);
    this.directory = options.runRoot().resolve(spec.getRun());
    this.checkpoints = new CheckpointStore(directory.resolve("checkpoints"));
    this.learner = new Learner(model, spec.getOptimization());
    this.forward = new StudentForward(model);
    VitConfig config = model.config();
    this.check = new CommandCheck(spec, config, teacherView, data.evalImages());
    // A run of this name may have been here before, and its checkpoints are not to be lost.
    this.begun = checkpoints.newestStep() >= 0;
    SleepTimes sleep = options.sleep();
    this.device =
        sleep == null
            ? new ModelDevice(learner, spec.getStudent().getRecompute())
            : new SleepingDevice(sleep, config);
    if (sleep != null) {
      log.warn("this student sleeps instead of computing: {}", sleep);
    }
    this.teacherView = teacherView;
    this.numerics =
        Numerics.newBuilder()
            .putAllFacts(Torch.numerics())
            .putFacts("precision", model.precision().name())
            .putFacts("image_decoder", data.decoder())
            .build();
    this.modelInfo =
        ModelInfo.newBuilder()
            .setModel(config.canonical())
            .setGrid(
                Grid.newBuilder()
                    .setImageHeight(config.imageHeight())
                    .setImageWidth(config.imageWidth())
                    .setPatch(config.patch())
                    .setChannels(config.channels()))
            .setClasses(config.classes())
            .setParameters(model.parameterCount())
            .setWeightsDigest(model.digest())
            .addAllMean(config.mean())
            .addAllStd(config.std())
            .addAllNotices(model.notices())
            .setWeightsFileSha256(origin.fileSha256())
            .setWeightsLicense(origin.license())
            .build();
    this.provenance = new RunProvenance(spec, modelInfo, data);
  }

  /**
   * Builds model, data and optimizer.
   *
   * @param turns of the training thread and those that make its batches
   * @throws RuntimeException with a message for the user if anything in {@code spec} does not fit
   */
  static StudentRun open(OpenStudent spec, StudentOptions options, Metrics metrics, Turns turns) {
    VitConfig config = OpenCheck.check(spec);
    int threads = threads(spec, options);
    Torch.start(threads);
    // A run before this one may have used another number.
    Torch.useThreads(threads);
    if (spec.getStudent().getMeanCount() > 0) {
      config =
          config.withStatistics(spec.getStudent().getMeanList(), spec.getStudent().getStdList());
    }
    RunData data = RunData.open(spec, config, options.dataRoot(), turns);
    try {
      config = config.withClasses(data.classes().size());
      TeacherView view =
          spec.hasTeacherGrid()
              ? new TeacherView(
                  spec.getTeacherGrid(), config, spec.getMasking().getCriterion(), spec.getSeed())
              : null;
      return new StudentRun(
          spec,
          options,
          metrics,
          data,
          view,
          startingPoint(spec, config, options.dataRoot()),
          spec.getStudent().getInit().isEmpty()
              ? WeightsOrigin.NONE
              : WeightsOrigin.of(init(spec, options.dataRoot())));
    } catch (RuntimeException e) {
      data.close();
      throw e;
    }
  }

  private static int threads(OpenStudent spec, StudentOptions options) {
    if (spec.getStudent().getThreads() > 0) {
      return spec.getStudent().getThreads();
    }
    return options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
  }

  private static VisionTransformer startingPoint(
      OpenStudent spec, VitConfig config, Path dataRoot) {
    Precision precision = Precisions.of(spec.getStudent().getPrecision());
    if (spec.getStudent().getInit().isEmpty()) {
      return VisionTransformer.initialised(
          config, spec.getSeed(), precision, VisionTransformer.Mode.TRAINABLE);
    }
    return VisionTransformer.adapted(
        config, init(spec, dataRoot), spec.getSeed(), precision, VisionTransformer.Mode.TRAINABLE);
  }

  private static Path init(OpenStudent spec, Path dataRoot) {
    Path init = DataRoot.inside(spec.getStudent().getInit(), dataRoot);
    if (Files.exists(init) && !Files.isRegularFile(init)) {
      throw new DataException(init + " is no file of weights but a folder or device");
    }
    return init;
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
    synchronized (records) {
      long bytes = 0;
      int first = records.size();
      while (first > 0) {
        bytes += records.get(first - 1).getSerializedSize() + 8L;
        if (bytes > most) {
          break;
        }
        first--;
      }
      return List.copyOf(records.subList(first, records.size()));
    }
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
        .build();
  }

  /** The most that a gradient can have. */
  long gradientBytes() {
    return (long) spec.getBatch() * modelInfo.getClasses() * Float.BYTES;
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
    boolean writes = command.hasPlan() || command.hasCheckpoint() || command.hasExport();
    if (begun && writes) {
      throw new IllegalArgumentException(
          "%s has checkpoints up to step %d of an earlier run of this name, which this one would replace: go on with --resume, choose another name, or move them away"
              .formatted(directory, checkpoints.newestStep()));
    }
  }

  void carryOut(StudentCommand command, Inbox inbox, Outbox<StudentEvent> outbox) throws Exception {
    switch (command.getCommandCase()) {
      case PLAN -> step(command.getPlan(), inbox, outbox);
      case PROBE -> probe(command.getProbe(), inbox, outbox);
      case EVALUATE -> outbox.send(evaluate(command.getEvaluate(), inbox, outbox));
      case CHECKPOINT -> outbox.send(checkpoint(command.getCheckpoint()));
      case RESTORE -> outbox.send(restore(command.getRestore()));
      case EXPORT -> outbox.send(export(command.getExport()));
      case PROFILE -> outbox.send(profile(command.getProfile(), inbox));
      case BACKWARD, COMMAND_NOT_SET ->
          throw new IllegalStateException(command.getCommandCase() + " is not a queued command");
    }
  }

  private void step(StepPlan plan, Inbox inbox, Outbox<StudentEvent> outbox)
      throws InterruptedException {
    if (stepFailed) {
      // It was sent ahead, before the coordinator knew.
      log.info("dropped the plan of step {}, which followed a failed step", plan.getStep());
      return;
    }
    long dataBefore = data.cpuNanos();
    long begin = System.nanoTime();
    Batch batch = ahead.begin(plan.getStep());
    long ready = System.nanoTime();
    inbox.beginStep(
        plan.getRun(), plan.getAttempt(), plan.getStep(), plan.getMicroBatchSizesCount());
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
            spec.getStudent().getDropPath())) {
      StepInterpreter.run(plan, batch.count(), step);
      double norm = step.optimize();
      long end = System.nanoTime();
      if (!Double.isFinite(norm)) {
        stepFailed = true;
        outbox.send(
            failed(plan, "the gradient's norm is " + norm + "; the weights were not touched"));
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
      synchronized (records) {
        records.add(record);
        if (records.size() > MOST_RECORDS) {
          // Whoever asks for no checkpoint cannot have them all.
          records.subList(0, records.size() / 2).clear();
        }
      }
      measure(record);
      outbox.send(
          StudentEvent.newBuilder()
              .setStepDone(
                  StepDone.newBuilder()
                      .setRun(plan.getRun())
                      .setAttempt(plan.getAttempt())
                      .setRecord(record))
              .build());
    } catch (StepAbandonedException e) {
      learner.dropGradients();
      stepFailed = true;
      log.warn("step {} was abandoned: {}", plan.getStep(), e.getMessage());
      outbox.send(failed(plan, String.valueOf(e.getMessage())));
    } finally {
      inbox.endStep();
    }
  }

  private void measure(StepRecord record) {
    record
        .getSpansList()
        .forEach(
            span ->
                metrics.busy(
                    "student",
                    span.getOperation(),
                    seconds(span.getEndNanos() - span.getStartNanos())));
    metrics.images(record.getImages());
    metrics.dataWait(record.getDataWaitSeconds());
  }

  private static StudentEvent failed(StepPlan plan, String reason) {
    return StudentEvent.newBuilder()
        .setStepFailed(
            StepFailed.newBuilder()
                .setRun(plan.getRun())
                .setAttempt(plan.getAttempt())
                .setStep(plan.getStep())
                .setReason(reason))
        .build();
  }

  private StudentEvent profile(Profile request, Inbox inbox) throws Exception {
    try {
      return StudentEvent.newBuilder()
          .setProfiled(
              new StudentProfile(
                      device, forward.config(), teacherView, spec.getStudent().getDropPath())
                  .measure(request, inbox::isClosed))
          .build();
    } finally {
      learner.dropGradients();
    }
  }

  /** Evaluation images with what a teacher would see of them; nothing is trained. */
  private void probe(Probe probe, Inbox inbox, Outbox<StudentEvent> outbox)
      throws StepAbandonedException, InterruptedException {
    TeacherView view = Objects.requireNonNull(teacherView, "checked before");
    int index = 0;
    int images = 0;
    try (RunData.EvaluationPass pass = data.evaluation(probe.getImages(), probe.getMicroBatch())) {
      for (Batch batch : pass) {
        requireOpen(inbox);
        // Nobody's gradient holds this back.
        outbox.awaitRoom(StudentService.MOST_UNREAD_BYTES);
        int count = batch.count();
        try (GradMode off = GradMode.off();
            Scope scope = Scope.open()) {
          StudentForward.Result result =
              forward.run(
                  scope,
                  RunData.images(batch, 0, count),
                  count,
                  null,
                  view.needsAttention(probe.getKeep()));
          TeacherView.Kept kept =
              view.choose(
                  RunData.images(batch, 0, count),
                  count,
                  result.saliency(),
                  probe.getKeep(),
                  0,
                  images);
          MicroBatchMessages.forwarded(
                  MicroBatchKey.newBuilder()
                      .setRun(probe.getRun())
                      .setAttempt(probe.getAttempt())
                      .setIndex(index)
                      .build(),
                  Tensors.floats(result.logits()),
                  batch.targets(),
                  count,
                  kept)
              .forEach(outbox::send);
        }
        index++;
        images += count;
      }
    }
    outbox.send(
        StudentEvent.newBuilder()
            .setProbeDone(
                ProbeDone.newBuilder()
                    .setRun(probe.getRun())
                    .setAttempt(probe.getAttempt())
                    .setImages(images))
            .build());
  }

  private static void requireOpen(Inbox inbox) throws StepAbandonedException {
    if (inbox.isClosed()) {
      throw new StepAbandonedException("the coordinator's stream ended");
    }
  }

  private StudentEvent evaluate(Evaluate request, Inbox inbox, Outbox<StudentEvent> outbox)
      throws Exception {
    Evaluated result =
        request.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA
            ? learner.withEma(() -> evaluateNow(request, inbox, outbox))
            : evaluateNow(request, inbox, outbox);
    return StudentEvent.newBuilder().setEvaluated(result).build();
  }

  private Evaluated evaluateNow(Evaluate request, Inbox inbox, Outbox<StudentEvent> outbox)
      throws StepAbandonedException {
    long start = System.nanoTime();
    long lastWord = start;
    Evaluation evaluation = new Evaluation();
    int of = request.getImages() == 0 ? data.evalImages() : request.getImages();
    try (RunData.EvaluationPass pass = data.evaluation(request.getImages(), request.getBatch())) {
      for (Batch batch : pass) {
        requireOpen(inbox);
        evaluation.add(forward, batch);
        if (System.nanoTime() - lastWord > TimeUnit.SECONDS.toNanos(1)) {
          lastWord = System.nanoTime();
          outbox.send(
              StudentEvent.newBuilder()
                  .setEvaluateProgress(
                      EvaluateProgress.newBuilder()
                          .setId(request.getId())
                          .setImages(evaluation.accuracy().images())
                          .setOf(of))
                  .build());
        }
      }
    }
    return Evaluated.newBuilder()
        .setId(request.getId())
        .setImages(evaluation.accuracy().images())
        .setTop1(evaluation.accuracy().top1Count())
        .setTop5(evaluation.accuracy().top5Count())
        .setLoss(evaluation.meanLoss())
        .setSeconds(seconds(System.nanoTime() - start))
        .build();
  }

  private StudentEvent checkpoint(Checkpoint request) {
    long start = System.nanoTime();
    Checkpointed.Builder done =
        Checkpointed.newBuilder()
            .setStep(committed)
            .setDirectory(directory.resolve("checkpoints/step-" + committed).toString());
    Map<String, String> origin = provenance.with(request.getProvenanceMap());
    CheckpointManifest facts =
        new CheckpointManifest(
            committed,
            request.getBest(),
            request.getCoordinatorState(),
            numerics.getFactsMap(),
            origin,
            Map.of());
    try {
      done.setBytes(
          checkpoints.write(
              facts, directory -> learner.save(directory, origin), request.getKeepLast()));
      synchronized (records) {
        records.clear();
      }
      metrics.checkpoint(done.getBytes(), seconds(System.nanoTime() - start));
    } catch (IOException e) {
      String warning =
          "checkpoint step-%d could not be written and the ones before it stand: %s"
              .formatted(committed, e);
      log.warn(warning, e);
      done.setWarning(warning);
    }
    done.setSeconds(seconds(System.nanoTime() - start));
    return StudentEvent.newBuilder().setCheckpointed(done).build();
  }

  private StudentEvent restore(Restore request) throws IOException {
    Restored.Builder restored = Restored.newBuilder();
    checkpoints.clean();
    if (Files.isDirectory(directory)) {
      SafetensorsWriter.removeLeftovers(directory);
    }
    Optional<CheckpointStore.Sound> sound =
        checkpoints.newestSound(request.getStep(), restored::addWarnings);
    begun = begun && sound.isEmpty();
    if (sound.isPresent()) {
      CheckpointManifest manifest = sound.get().manifest();
      ahead.forget();
      learner.load(sound.get().directory());
      committed = manifest.step();
      stepFailed = false;
      synchronized (records) {
        records.clear();
      }
      restored
          .setStep(committed)
          .setCoordinatorState(manifest.coordinatorState())
          .setNumerics(Numerics.newBuilder().putAllFacts(manifest.numerics()));
      log.info("continuing from {}", sound.get().directory());
    }
    return StudentEvent.newBuilder().setRestored(restored).build();
  }

  private StudentEvent export(Export request) throws Exception {
    Path file = directory.resolve(request.getFile());
    VisionTransformer model = learner.model();
    Exported.Builder exported = Exported.newBuilder().setFile(file.toString());
    try {
      if (request.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA) {
        learner.withEma(() -> save(model, file, request));
      } else {
        save(model, file, request);
      }
      exported.setBytes(Files.size(file));
    } catch (IOException e) {
      String warning = "%s could not be written: %s".formatted(file, e);
      log.warn(warning, e);
      exported.setWarning(warning);
    }
    return StudentEvent.newBuilder().setExported(exported).build();
  }

  private Path save(VisionTransformer model, Path file, Export request) throws IOException {
    model.save(file, SafetensorsType.F32, provenance.with(request.getMetadataMap()));
    return file;
  }

  private static double seconds(long nanos) {
    return nanos / 1e9;
  }

  @Override
  public void close() {
    data.close();
    learner.close();
  }
}
