package org.maskedkd.coordinator;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.Restore;
import org.maskedkd.proto.v1.Restored;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent.EventCase;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.WhereReply;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.RunException;

/**
 * A run from the handshakes to the exported weights. Everything happens on the thread that calls
 * {@link #run}, except {@link #requestStop}.
 */
public final class TrainingRun {

  /**
   * How this start of the run is to go.
   *
   * @param resume go on from the newest checkpoint, or from where a student that is still open
   *     stands
   * @param maxSteps end after this step of the run as if it were the last; 0 for the run's own
   *     length
   * @param plans recorded plans to replay, or null
   * @param dryRun open and check everything, report, and train nothing
   */
  public record Options(boolean resume, long maxSteps, @Nullable Path plans, boolean dryRun) {}

  private static final Duration STUDENT_PAUSE = Duration.ofMillis(50);

  private final RunConfig config;
  private final Path path;
  private final Options options;
  private final Progress progress;
  private final EventLoop loop;
  private final RunState state;
  private final RunMetrics metrics;
  private final SharedGpus gpus;
  private final StudentLink student;
  private final @Nullable TeacherPool pool;
  private volatile @Nullable ExitCode stop;
  private volatile boolean training;
  private @Nullable Trainer trainer;

  /**
   * A run that has not begun.
   *
   * @param path the run directory
   * @param teachers none when {@link RunConfig#distils} is false, else at least one
   * @param readiness is told whether the run gets on
   * @param metrics of a coordinator; stay the caller's
   * @param network what their channels were made by, on this thread
   */
  public TrainingRun(
      RunConfig config,
      Path path,
      Peer student,
      TeacherPeers teachers,
      Options options,
      Progress progress,
      Readiness readiness,
      Metrics metrics,
      NetworkLoop network) {
    this(
        config,
        path,
        student,
        teachers,
        options,
        progress,
        readiness,
        metrics,
        new EventLoop(network, System::nanoTime),
        Patience.standard(config));
  }

  TrainingRun(
      RunConfig config,
      Path path,
      Peer student,
      TeacherPeers teachers,
      Options options,
      Progress progress,
      Readiness readiness,
      Metrics metrics,
      EventLoop loop,
      Patience patience) {
    if (config.distils() == teachers.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          config.distils()
              ? "the configuration has a teacher, but no teacher's address was given"
              : teachers.size() + " teachers were given, but the configuration has none");
    }
    this.config = config;
    this.path = path;
    this.options = options;
    this.progress = progress;
    this.loop = loop;
    this.student = new StudentLink(loop, student, patience);
    this.metrics = new RunMetrics(metrics, config.name(), () -> System.currentTimeMillis() / 1e3);
    this.state = new RunState(readiness, this.metrics);
    this.gpus = new SharedGpus(progress);
    this.pool =
        teachers.isEmpty()
            ? null
            : new TeacherPool(
                loop,
                teachers,
                Specs.teacher(config, largest()),
                config.deterministic(),
                patience,
                progress,
                state,
                this.metrics,
                gpus);
  }

  private int largest() {
    return Planner.largest(config.schedule());
  }

  /**
   * Asks for the end: the step under way (and the next one, if the student has its plan already) is
   * finished, a checkpoint written. Before training has begun the run ends at once. From any
   * thread.
   *
   * <p>What is not done after half of {@code grace} is given up, and the checkpoint is that of the
   * last committed step; when all of it is over the run ends without one.
   *
   * @param code what {@link #run} is then to return
   */
  public void requestStop(ExitCode code, Duration grace) {
    stop = code;
    if (!training) {
      loop.fail(new RunException(code, "stopped while no step was under way"));
      return;
    }
    loop.execute(
        () -> {
          loop.schedule(grace.dividedBy(2), () -> loop.interrupt(new GraceOverException()));
          loop.schedule(
              grace,
              () ->
                  loop.fail(
                      new RunException(
                          code,
                          "stopped without a new checkpoint, which was not there after %d s"
                              .formatted(grace.toSeconds()))));
        });
  }

  /** Gives up what is under way and has the student write what it committed last. */
  private ExitCode giveUp(RunDirectory directory, ExitCode code) {
    Trainer left = Objects.requireNonNull(trainer, "no training was begun");
    progress.warn("what is under way takes too long for a stop and is given up");
    while (true) {
      student.start();
      try {
        WhereReply where = student.where(config.name());
        if (!where.getOpen()) {
          throw new RunException(
              code, "stopped without a new checkpoint, since the student has the run no more");
        }
        addMissing(directory, where, directory.attempts());
        return left.stopped(where.getCommittedStep(), code);
      } catch (StudentLostException stillEnding) {
        // The stage has not yet noticed that the stream before has ended.
        loop.pause(STUDENT_PAUSE);
      }
    }
  }

  /**
   * Leads the run to its end.
   *
   * @return {@link ExitCode#DONE}, or the code of {@link #requestStop} once a checkpoint is written
   * @throws RunException when the run cannot go on
   */
  public ExitCode run() {
    try {
      if (options.dryRun) {
        return dryRun();
      }
      try (RunDirectory directory =
          options.resume ? RunDirectory.resume(path) : RunDirectory.create(path)) {
        return lead(directory);
      }
    } finally {
      state.ended();
      student.close();
      if (pool != null) {
        pool.close();
      }
    }
  }

  private ExitCode lead(RunDirectory directory) {
    boolean sameSchedule = true;
    if (options.resume) {
      RunConfig before = directory.readConfig();
      Resumption.check(before, config).forEach(progress::note);
      sameSchedule = before.schedule().equals(config.schedule());
    }
    // Read before the directory is cut back, since these may be its own plans.
    @Nullable RecordedPlans given =
        options.plans == null ? null : RecordedPlans.require(options.plans, config);
    Losses losses = new Losses(directory);
    boolean resume = options.resume;
    while (true) {
      try {
        @Nullable RecordedPlans replayed =
            resume && sameSchedule ? new RecordedPlans(directory.recordedPlans(), config) : null;
        return start(directory, resume, given, replayed);
      } catch (GraceOverException e) {
        return giveUp(directory, Objects.requireNonNull(stop, "no stop was asked for"));
      } catch (StudentLostException e) {
        training = false;
        ExitCode code = stop;
        if (code != null) {
          throw new RunException(
              code, "stopped while the student was away: " + e.getMessage() + losses.wayOut(), e);
        }
        losses.add(e);
        if (pool != null) {
          pool.forget();
        }
        progress.warn(e.getMessage() + "; waiting for it to come back");
        state.studentAway(String.valueOf(e.getMessage()));
        resume = true;
        sameSchedule = true;
      } catch (RunException e) {
        // Once it trains, it says so itself.
        if (e.exitCode() != ExitCode.PEER_AWAY || !resume || training) {
          throw e;
        }
        throw new RunException(e.exitCode(), e.getMessage() + losses.wayOut(), e);
      }
    }
  }

  /** From the handshakes to the end, or to the next loss of the student. */
  private ExitCode start(
      RunDirectory directory,
      boolean resume,
      @Nullable RecordedPlans given,
      @Nullable RecordedPlans replayed) {
    Stages stages = open();
    int attempt = directory.attempts() + 1;
    long from = resume ? resume(stages, directory) : begin(stages);
    if (replayed == null) {
      directory.forgetPlansAhead();
    }
    StartState.write(
        path,
        stages.state(config, from, 0, attempt, -1),
        stages.opened().getNumerics(),
        stages.teacherNumerics());
    directory.writeConfig(config);
    long perEpoch = stages.stepsPerEpoch(config);
    long last = perEpoch * config.schedule().epochs();
    if (options.maxSteps > 0) {
      last = Math.min(last, options.maxSteps);
    }
    if (from >= last) {
      progress.note("the run has its " + last + " steps already; raise schedule.epochs to go on");
    } else if (from == 0) {
      checkTeacher(stages);
    }
    Planner planner = new Planner(config, perEpoch);
    // With stale masks a plan depends on the one after it, which may not have been recorded; their
    // schedule does not change, so the planner gives the same ones again.
    PlanSource plans =
        replayed == null || config.schedule().staleMasks() > 0
            ? planner
            : new ReplayedPlans(replayed, planner);
    Trainer created =
        new Trainer(
            config,
            stages,
            directory,
            given == null ? plans : given,
            given == null
                ? new ScheduleTuning(config, stages, planner, directory, progress, loop::nanoTime)
                : null,
            progress,
            stages.opened().getCommittedStep() == 0 ? from : 0,
            attempt,
            Math.max(from, last),
            () -> stop,
            state,
            metrics);
    trainer = created;
    training = true;
    return created.train(from);
  }

  private Stages open() {
    ModelInfo teacher = pool == null ? null : pool.open();
    StudentOpened opened = student.open(Specs.student(config, teacher));
    Handshake.check(config, student.name(), opened, teacher);
    PeerCheck.student(student.name(), opened);
    opened.getModel().getNoticesList().forEach(n -> progress.note(student.name() + ": " + n));
    Handshake.notices(config, opened, teacher).forEach(progress::note);
    gpus.add(student.name(), opened.getGpusList());
    student.start();
    ForwardedInbox inbox =
        new ForwardedInbox(
            opened.getModel().getClasses(),
            teacher == null ? null : teacher.getGrid(),
            opened.getFeatures(),
            config.teacher().merge(),
            Specs.separateHeads(config));
    return new Stages(student, opened, pool, teacher, inbox);
  }

  private long begin(Stages stages) {
    long committed = stages.opened().getCommittedStep();
    if (committed != 0) {
      throw new RunException(
          ExitCode.USAGE,
          student.name()
              + " already has run "
              + config.name()
              + " at step "
              + committed
              + "; go on with --resume, or choose another name");
    }
    return 0;
  }

  /** Puts student and directory at the same step, and says which. */
  private long resume(Stages stages, RunDirectory directory) {
    int attempts = directory.attempts();
    long step = stages.opened().getCommittedStep();
    @Nullable StartState begun = StartState.read(path);
    if (begun != null) {
      begun.coordinator().requireSame(stages.state(config, step, 0, 0, 0));
      compareTeachers(begun.teacherNumericsFacts(), stages.teacherNumerics());
    }
    if (step > 0) {
      // A coordinator was lost, not the student: nothing needs to be loaded.
      if (begun == null) {
        throw new RunException(
            ExitCode.BAD_DATA,
            student.name()
                + " still has the run, but "
                + path
                + " has no state.json to tell whether it is the same one; restore it, or restart"
                + " the student to go on from its checkpoint");
      }
      compareNumerics(begun.numericsFacts(), stages);
      progress.note(student.name() + " still has the run, at step " + step);
    } else {
      step = restore(stages);
    }
    directory.cutBack(step);
    addMissing(directory, student.where(config.name()), attempts);
    return step;
  }

  /** Steps that the student committed and nobody wrote down. */
  private void addMissing(RunDirectory directory, WhereReply where, int attempts) {
    Set<Long> known = directory.steps().stream().map(StepLine::step).collect(Collectors.toSet());
    for (StepRecord record : where.getRecordsList()) {
      if (record.getStep() <= where.getCommittedStep() && !known.contains(record.getStep())) {
        directory.add(StepLine.of(record, attempts, config, null));
      }
    }
  }

  private long restore(Stages stages) {
    student.send(StudentCommand.newBuilder().setRestore(Restore.getDefaultInstance()).build());
    Restored restored = student.expect(EventCase.RESTORED, p -> {}).getRestored();
    restored.getWarningsList().forEach(progress::warn);
    long step = restored.getStep();
    if (step == 0 && restored.getWarningsCount() > 0) {
      // To begin again would cut the run's records back to nothing.
      throw new RunException(
          ExitCode.BAD_DATA,
          "no checkpoint in "
              + path
              + " is sound: "
              + String.join("; ", restored.getWarningsList())
              + "; restore one, or move the folder checkpoints away to begin again at step 1");
    }
    if (step == 0) {
      progress.note("there is no checkpoint in " + path + "; the run begins again at step 1");
      return 0;
    }
    CoordinatorState.parse(restored.getCoordinatorState())
        .requireSame(stages.state(config, step, 0, 0, 0));
    compareNumerics(restored.getNumerics(), stages);
    progress.note("going on after step " + step);
    return step;
  }

  private void compareNumerics(Numerics before, Stages stages) {
    Resumption.check("the student", before, stages.opened().getNumerics(), config.deterministic())
        .forEach(d -> progress.warn("not the same numerics as before: " + d));
  }

  private void compareTeachers(Numerics before, Numerics now) {
    if (before.getFactsCount() > 0) {
      Resumption.check("the teacher", before, now, config.deterministic())
          .forEach(d -> progress.warn("not the same numerics of the teachers as before: " + d));
    }
  }

  private void checkTeacher(Stages stages) {
    int images =
        (int) Math.min(config.evaluation().teacherCheckImages(), stages.opened().getEvalImages());
    if (pool == null || images == 0) {
      return;
    }
    TeacherCheck check = new TeacherCheck(loop, student, pool, stages.inbox(), stages.classes());
    double keep = config.masking().teachersKeep();
    TeacherCheck.Accuracy all = check.measure(probe(1, images, 1));
    TeacherCheck.Accuracy masked = keep == 1 ? all : check.measure(probe(2, images, keep));
    progress.note(
        String.format(
            Locale.ROOT,
            "teacher on %d evaluation images: %s with all patches, %s with %s of them",
            all.images(),
            Progress.percent(all.top1()),
            Progress.percent(masked.top1()),
            Progress.percent(keep)));
    double chance = 1.0 / stages.classes();
    if (all.top1() < 2 * chance) {
      progress.warn(
          String.format(
              Locale.ROOT,
              "that is near chance (%s). See that teacher.weights are trained ones, that"
                  + " teacher.mean and teacher.std are theirs, and that its classes have the order"
                  + " of the data's",
              Progress.percent(chance)));
    }
  }

  private Probe probe(int attempt, int images, double keep) {
    return Probe.newBuilder()
        .setRun(config.name())
        .setAttempt(attempt)
        .setImages(images)
        .setMicroBatch(largest())
        .setKeep(keep)
        .build();
  }

  /** Opens and checks everything, and says what the run would be. */
  private ExitCode dryRun() {
    Stages stages = open();
    DryRun.describe(config, stages).forEach(progress::note);
    DryRun.estimate(
            config,
            stages,
            new Profiler(config, stages, Profiler.LEAST_REPEATS).measure(1, 0, 0, 0, 0))
        .forEach(progress::note);
    progress.note("dry run: everything opened and checked, nothing trained");
    return ExitCode.DONE;
  }
}
