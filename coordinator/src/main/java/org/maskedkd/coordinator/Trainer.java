package org.maskedkd.coordinator;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.Evaluated;
import org.maskedkd.proto.v1.Export;
import org.maskedkd.proto.v1.Exported;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent.EventCase;
import org.maskedkd.proto.v1.WeightsChoice;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * The training loop: steps, evaluations, checkpoints, exports. The plan of the next step goes out
 * before the step ends, except where an evaluation or a checkpoint comes between the two, since the
 * student carries commands out in order and what follows depends on what was measured. Event loop
 * only.
 */
final class Trainer {

  private static final String BEST = "student-best.safetensors";
  private static final String LAST = "student.safetensors";

  private final RunConfig config;
  private final Stages stages;
  private final RunDirectory directory;
  private final PlanSource plans;
  private final @Nullable ScheduleTuning tuning;
  private final Timeline timeline;
  private StepExecutor.@Nullable Result owed;
  private final Progress progress;
  private final Supplier<@Nullable ExitCode> stop;
  private final RunState state;
  private final RunMetrics metrics;
  private final StepExecutor steps;
  private final EpochMeans means = new EpochMeans();
  private final StaleMasks staleMasks = new StaleMasks();
  private final MaskRecords masks;
  private final long stepsPerEpoch;
  private final long lastStep;
  private final int attempt;

  /** What the student was last told to do. */
  private @Nullable PlannedStep newest;

  private long checkpointed;
  private long evaluations;
  private long skippedImages;
  private double bestTop1 = -1;
  private long bestStep;

  /**
   * @param tuning null when the plans are given
   * @param checkpointed the newest step with a checkpoint, as far as known; else 0
   * @param attempt how often this run was started
   * @param lastStep the one to end after
   * @param stop what to return after a clean stop, as soon as one is asked for
   * @param state is told of each step that begins
   */
  Trainer(
      RunConfig config,
      Stages stages,
      RunDirectory directory,
      PlanSource plans,
      @Nullable ScheduleTuning tuning,
      Progress progress,
      long checkpointed,
      int attempt,
      long lastStep,
      Supplier<@Nullable ExitCode> stop,
      RunState state,
      RunMetrics metrics) {
    this.config = config;
    this.stages = stages;
    this.directory = directory;
    this.plans = plans;
    this.tuning = tuning;
    this.timeline = new Timeline(config.timeline().steps(), directory);
    this.masks = new MaskRecords(config, stages, directory);
    this.progress = progress;
    this.stop = stop;
    this.state = state;
    this.metrics = metrics;
    this.stepsPerEpoch = stages.stepsPerEpoch(config);
    this.lastStep = lastStep;
    this.attempt = attempt;
    this.checkpointed = checkpointed;
    RunConfig.Distillation d = config.distillation();
    LossFunction loss =
        new LossFunction(
            stages.pool() == null ? RunConfig.Kind.NONE : d.kind(), d.alpha(), d.temperature());
    this.steps =
        new StepExecutor(
            config.name(),
            stages.student(),
            stages.pool(),
            stages.inbox(),
            loss,
            stages.classes(),
            this::wayOut,
            metrics);
    directory
        .steps()
        .forEach(
            line -> {
              means.add(line);
              staleMasks.add(line);
            });
    for (EpochLine line : directory.epochs()) {
      bestTop1 = Math.max(bestTop1, line.bestTop1());
      bestStep = line.best() ? line.step() : bestStep;
    }
  }

  /** Trains from the step after {@code from} on. */
  ExitCode train(long from) {
    try {
      return steps(from);
    } catch (StudentLostException e) {
      throw e;
    } catch (RunException e) {
      if (e.exitCode() != ExitCode.PEER_AWAY) {
        throw e;
      }
      throw new RunException(e.exitCode(), e.getMessage() + "; " + wayOut(), e);
    } finally {
      settle();
      timeline.write();
    }
  }

  private ExitCode steps(long from) {
    progress.begin(from, lastStep, config.schedule().epochs());
    metrics.begin(from, lastStep, checkpointed > 0 || from == 0 ? checkpointed : null);
    if (from > 0) {
      makeUp(from);
    } else {
      masks.beforeTraining();
    }
    for (long step = from + 1; step <= lastStep; step++) {
      boolean planned = newest != null && newest.step() == step;
      ExitCode code = stop.get();
      if (code != null && !planned) {
        return stopped(step - 1, code);
      }
      if (!planned && tuning != null && tuning.due(step)) {
        state.doing(RunPhase.PROFILING);
        tuning.now(step);
      }
      PlannedStep plan = planned && newest != null ? newest : send(step);
      state.training(step);
      long current = step;
      StepExecutor.Result result = steps.run(plan, () -> lookAhead(current));
      owed = result;
      if (newest == plan) {
        // The student waits for what comes next, but not yet for this coordinator.
        settle();
      }
      if (endsEpoch(step)) {
        timeline.write();
        endEpoch(step);
      }
      if (needsCheckpoint(step)) {
        checkpoint(step);
      }
    }
    if (!export(LAST, WeightsChoice.WEIGHTS_CHOICE_MODEL, lastStep)) {
      throw new RunException(
          ExitCode.CANNOT_WRITE,
          "the run has all its steps, but " + LAST + " could not be written; " + wayOut());
    }
    if (staleMasks.any()) {
      progress.note(staleMasks.describe());
    }
    progress.end("done");
    TeacherPool pool = stages.pool();
    if (pool != null && pool.redone() + pool.hedged() + pool.duplicates() + pool.stale() > 0) {
      progress.note(
          pool.redone()
              + " micro-batches were done again, "
              + pool.hedged()
              + " hedged; "
              + pool.duplicates()
              + " duplicate and "
              + pool.stale()
              + " stale signals were dropped");
    }
    return ExitCode.DONE;
  }

  /** What a coordinator that was lost after its last commit owed, when the student goes on. */
  private void makeUp(long step) {
    if (endsEpoch(step) && directory.epochs().stream().noneMatch(line -> line.step() == step)) {
      endEpoch(step);
    }
    if (needsCheckpoint(step) && checkpointed < step) {
      checkpoint(step);
    }
  }

  /** Ends the run after {@code step}, the last one that was committed. */
  ExitCode stopped(long step, ExitCode code) {
    if (checkpointed < step && !checkpoint(step)) {
      throw new RunException(
          ExitCode.CANNOT_WRITE, "stopped after step " + step + ", but without a checkpoint of it");
    }
    progress.end("stopped after step " + step + " with a checkpoint; go on with --resume");
    return code;
  }

  private PlannedStep send(long step) {
    PlannedStep plan = plans.plan(step, attempt, lookedAhead(step), goesOn(step));
    directory.add(plan);
    stages
        .student()
        .send(StudentCommand.newBuilder().setPlan(plan.toMessage(config.name())).build());
    newest = plan;
    return plan;
  }

  /**
   * Writes down the step that was committed last. The next one has begun by now, and its first
   * patches must not wait for that: it is done once all its forwards are.
   */
  private void settle() {
    StepExecutor.Result result = owed;
    if (result != null) {
      owed = null;
      record(result);
    }
  }

  private void lookAhead(long step) {
    settle();
    // What was looked ahead at is of use only with the sizes it was planned with: no timing now.
    boolean promised = lookedAhead(step + 1) > 0;
    if (followsAtOnce(step) && (promised || tuning == null || !tuning.due(step + 1))) {
      send(step + 1);
    }
  }

  private boolean followsAtOnce(long step) {
    return step < lastStep && stop.get() == null && !endsEpoch(step) && !needsCheckpoint(step);
  }

  /**
   * Whether a step may look ahead at the next. Not across a checkpoint, which would have to hold
   * the masks; recorded plans have their own word.
   */
  private boolean goesOn(long step) {
    return tuning == null ? step < lastStep : followsAtOnce(step) && !tuning.due(step + 1);
  }

  /** How many micro-batches of a step the one before it was told to look ahead at. */
  private int lookedAhead(long step) {
    return newest != null && newest.step() == step - 1 ? newest.schedule().ahead().size() : 0;
  }

  private boolean endsEpoch(long step) {
    return step % stepsPerEpoch == 0 || step == lastStep;
  }

  private boolean needsCheckpoint(long step) {
    int every = config.checkpoint().everySteps();
    return endsEpoch(step) || (every > 0 && step % every == 0);
  }

  private void record(StepExecutor.Result result) {
    MeasuredStep measured = result.measured();
    double predicted = tuning == null ? Double.NaN : tuning.predicted(measured.schedule());
    StepLine line =
        StepLine.of(
            result.record(),
            attempt,
            config,
            new StepLine.Seen(measured, result.teachers(), result.redone(), predicted));
    if (tuning != null) {
      tuning.observe(measured);
    }
    timeline.add(measured);
    long damaged = result.record().getSkippedImages();
    if (damaged > skippedImages) {
      skippedImages = damaged;
      progress.warn(
          damaged
              + " training images cannot be decoded, others of their class stand in for them; the"
              + " student's log names them");
    }
    directory.add(line);
    metrics.step(
        line,
        measured,
        config.masking().teachersKeepIn(line.epoch(), config.schedule().epochs()),
        skippedImages);
    means.add(line);
    staleMasks.add(line);
    progress.step(line);
  }

  private void endEpoch(long step) {
    int epoch = Math.toIntExact((step - 1) / stepsPerEpoch);
    int every = config.evaluation().everyEpochs();
    boolean due = step == lastStep || (every > 0 && (epoch + 1) % every == 0);
    if (!due || stages.opened().getEvalImages() == 0) {
      EpochLine line =
          new EpochLine(
              epoch,
              step,
              means.loss(),
              means.top1(),
              means.teacherTop1(),
              null,
              null,
              null,
              null,
              null,
              null,
              null,
              /* best= */ false);
      directory.add(line);
      progress.epoch(line);
      return;
    }
    state.doing(RunPhase.EVALUATING);
    masks.record(step, epoch);
    Evaluated model = evaluate(WeightsChoice.WEIGHTS_CHOICE_MODEL);
    Evaluated ema = config.ema().decay() > 0 ? evaluate(WeightsChoice.WEIGHTS_CHOICE_EMA) : null;
    double top1 = share(model.getTop1(), model);
    Double emaTop1 = ema == null ? null : share(ema.getTop1(), ema);
    double better = emaTop1 == null ? top1 : Math.max(top1, emaTop1);
    EpochLine line =
        new EpochLine(
            epoch,
            step,
            means.loss(),
            means.top1(),
            means.teacherTop1(),
            model.getImages(),
            model.getLoss(),
            top1,
            share(model.getTop5(), model),
            emaTop1,
            ema == null ? null : share(ema.getTop5(), ema),
            model.getSeconds() + (ema == null ? 0 : ema.getSeconds()),
            better > bestTop1);
    if (line.best()) {
      bestTop1 = better;
      bestStep = step;
      export(
          BEST,
          emaTop1 != null && emaTop1 > top1
              ? WeightsChoice.WEIGHTS_CHOICE_EMA
              : WeightsChoice.WEIGHTS_CHOICE_MODEL,
          step);
    }
    directory.add(line);
    metrics.epoch(line);
    progress.epoch(line);
  }

  private static double share(long count, Evaluated evaluated) {
    return (double) count / Math.max(1, evaluated.getImages());
  }

  private Evaluated evaluate(WeightsChoice weights) {
    evaluations++;
    stages
        .student()
        .send(
            StudentCommand.newBuilder()
                .setEvaluate(
                    Evaluate.newBuilder()
                        .setId(evaluations)
                        .setWeights(weights)
                        .setImages(config.evaluation().images())
                        .setBatch(config.evaluation().batch()))
                .build());
    Evaluated found =
        stages
            .student()
            .expect(EventCase.EVALUATED, p -> progress.evaluating(p.getImages(), p.getOf()))
            .getEvaluated();
    boolean sound =
        found.getId() == evaluations
            && found.getTop1() >= 0
            && found.getTop1() <= found.getTop5()
            && found.getTop5() <= found.getImages()
            && found.getImages() >= 1
            && found.getSeconds() >= 0;
    if (!sound) {
      throw new RunException(
          ExitCode.INTERNAL,
          "%s answered evaluation %d wrongly: %d of %d images right, %d among five, in %s s, as evaluation %d"
              .formatted(
                  stages.student().name(),
                  evaluations,
                  found.getTop1(),
                  found.getImages(),
                  found.getTop5(),
                  found.getSeconds(),
                  found.getId()));
    }
    return found;
  }

  /** Whether it could be written. */
  private boolean export(String file, WeightsChoice weights, long step) {
    state.doing(RunPhase.EXPORTING);
    boolean averaged = weights == WeightsChoice.WEIGHTS_CHOICE_EMA;
    stages
        .student()
        .send(
            StudentCommand.newBuilder()
                .setExport(
                    Export.newBuilder()
                        .setFile(file)
                        .setWeights(weights)
                        .putAllMetadata(stages.provenance(config, step))
                        .putMetadata("weights", averaged ? "averaged" : "model"))
                .build());
    Exported done = stages.student().expect(EventCase.EXPORTED, p -> {}).getExported();
    if (!done.getWarning().isEmpty()) {
      metrics.writeFailed();
      progress.warn("no " + file + " of step " + step + ": " + done.getWarning());
      return false;
    }
    return true;
  }

  /** Whether it could be written. */
  private boolean checkpoint(long step) {
    state.doing(RunPhase.CHECKPOINTING);
    directory.syncSteps();
    CoordinatorState known =
        stages.state(config, step, Math.toIntExact((step - 1) / stepsPerEpoch), attempt, bestTop1);
    stages
        .student()
        .send(
            StudentCommand.newBuilder()
                .setCheckpoint(
                    Checkpoint.newBuilder()
                        .setKeepLast(config.checkpoint().keep())
                        .setBest(step == bestStep)
                        .putAllProvenance(stages.provenance(config, step))
                        .setCoordinatorState(known.toJson()))
                .build());
    Checkpointed done = stages.student().expect(EventCase.CHECKPOINTED, p -> {}).getCheckpointed();
    if (!done.getWarning().isEmpty()) {
      metrics.writeFailed();
      progress.warn("no checkpoint of step " + step + ": " + done.getWarning());
      return false;
    }
    if (done.getStep() != step) {
      throw new RunException(
          ExitCode.INTERNAL,
          stages.student().name()
              + " wrote a checkpoint of step "
              + done.getStep()
              + ", expected "
              + step);
    }
    checkpointed = step;
    metrics.checkpoint(done);
    return true;
  }

  private String wayOut() {
    return checkpointed == 0
        ? "this start of the run has written no checkpoint yet"
            + (attempt > 1 ? "; go on from the one before with --resume" : "")
        : "the last good checkpoint is that of step "
            + checkpointed
            + " in "
            + directory.path().resolve("checkpoints")
            + "; go on from it with --resume";
  }
}
