package org.maskedkd.coordinator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Advice;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.Simulator;
import org.maskedkd.schedule.Tuner;
import org.maskedkd.schedule.Tuning;

/**
 * {@code micro-batches: auto}. After the first few steps, which also show the transfers and the
 * optimizer, the stages time themselves; the sizes are chosen by simulation, and chosen again when
 * the steps no longer take what was predicted. Without {@code auto} it only predicts. Event loop
 * only.
 */
final class ScheduleTuning {

  /** Steps that warm the stages up and show the latencies. */
  private static final int FIRST_STEPS = 5;

  /** Steps whose median is compared with the prediction. */
  private static final int WATCHED = 30;

  /** Relative difference between prediction and measurement that asks for a new choice. */
  private static final double DRIFT = 0.1;

  private final RunConfig config;
  private final Stages stages;
  private final Planner planner;
  private final RunDirectory directory;
  private final Progress progress;
  private final LongSupplier nanoTime;
  private final ProfilePace pace = new ProfilePace();
  private final Deque<MeasuredStep> recent = new ArrayDeque<>();
  private @Nullable StageProfile profile;
  private @Nullable Schedule predictedFor;
  private double predicted;

  ScheduleTuning(
      RunConfig config,
      Stages stages,
      Planner planner,
      RunDirectory directory,
      Progress progress,
      LongSupplier nanoTime) {
    this.config = config;
    this.stages = stages;
    this.planner = planner;
    this.directory = directory;
    this.progress = progress;
    this.nanoTime = nanoTime;
  }

  private boolean auto() {
    return config.schedule().microBatches().isAuto();
  }

  /** Takes a step that was committed. */
  void observe(MeasuredStep step) {
    recent.addLast(step);
    pace.trained(step.seconds());
    if (recent.size() > WATCHED) {
      recent.removeFirst();
    }
  }

  /** Whether the stages should time themselves before {@code step} is planned. */
  boolean due(long step) {
    if (!auto() && !config.schedule().profile()) {
      return false;
    }
    if (profile == null) {
      return recent.size() >= FIRST_STEPS;
    }
    return auto()
        && pace.affords(step)
        && recent.size() == WATCHED
        && Math.abs(median(MeasuredStep::secondsWithoutData) / predicted(planner.settled()) - 1)
            > DRIFT;
  }

  /** What a step of this schedule should take without waiting for data; NaN as long as unknown. */
  double predicted(Schedule schedule) {
    if (profile == null) {
      return Double.NaN;
    }
    if (!schedule.equals(predictedFor)) {
      predictedFor = schedule;
      predicted = simulate(profile, schedule).step();
    }
    return predicted;
  }

  private static Simulation simulate(StageProfile profile, Schedule schedule) {
    return Simulator.run(schedule, profile.costs(), profile.slowness());
  }

  /** Times the stages, which do nothing else meanwhile, and chooses. */
  void now(long step) {
    boolean again = profile != null;
    if (again) {
      progress.note(
          String.format(
              Locale.ROOT,
              "steps take %.4g s, predicted were %.4g s: measuring again",
              median(MeasuredStep::secondsWithoutData),
              predicted(planner.settled())));
    }
    long began = nanoTime.getAsLong();
    StageProfile measured = measure(step);
    pace.profiled(step, (nanoTime.getAsLong() - began) / 1e9);
    profile = measured;
    predictedFor = null;
    recent.clear();
    directory.write(measured);
    measured.describe().forEach(line -> progress.note("measured: " + line));
    if (auto()) {
      choose(measured);
    }
    Schedule schedule = planner.settled();
    Simulation simulation = simulate(measured, schedule);
    progress.note(
        String.format(
            Locale.ROOT,
            "schedule: %s as %s, window %d: predicted %.4g s a step, bubble %s, imbalance %s",
            schedule.order().text(),
            schedule.sizes(),
            schedule.window(),
            simulation.step(),
            Progress.percent(simulation.bubble()),
            Progress.percent(simulation.imbalance())));
    Advice.of(measured.costs(), schedule.batch(), measured.slowness(), simulation.step())
        .sentences()
        .forEach(progress::note);
  }

  private void choose(StageProfile measured) {
    Tuning tuning =
        Tuner.choose(
            measured.costs(),
            config.schedule().batch(),
            config.schedule().window(),
            measured.slowness());
    planner.use(tuning.schedule());
    tuning.notes().forEach(progress::note);
    progress.note(
        String.format(
            Locale.ROOT,
            "equal micro-batches would take %.4g s at best, with %d of them; no schedule less than"
                + " %.4g s",
            tuning.uniformPrediction().step(),
            tuning.uniform().sizes().size(),
            tuning.bound()));
  }

  private StageProfile measure(long step) {
    return new Profiler(config, stages, Profiler.repeats(median(MeasuredStep::secondsWithoutData)))
        .measure(
            step,
            median(MeasuredStep::optimizer),
            least(MeasuredStep::indicesLatency),
            least(MeasuredStep::signalsLatency),
            recent.getLast().clockError());
  }

  /** Of the step that was disturbed least: the first ones are those of a cold machine. */
  private double least(ToDoubleFunction<MeasuredStep> latency) {
    return recent.stream().mapToDouble(latency).min().orElse(0);
  }

  private double median(ToDoubleFunction<MeasuredStep> value) {
    List<Double> values = new ArrayList<>(recent.stream().mapToDouble(value).boxed().toList());
    Collections.sort(values);
    int middle = values.size() / 2;
    return values.size() % 2 == 1
        ? values.get(middle)
        : (values.get(middle - 1) + values.get(middle)) / 2;
  }
}
