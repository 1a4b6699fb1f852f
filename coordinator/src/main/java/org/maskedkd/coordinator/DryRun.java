package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.Simulator;
import org.maskedkd.schedule.Tuner;

/** What a run would be, in words. */
final class DryRun {

  private DryRun() {}

  static List<String> describe(RunConfig config, Stages stages) {
    List<String> lines = new ArrayList<>();
    lines.add("student " + describe(stages.opened().getModel()));
    if (stages.teacher() != null && stages.pool() != null) {
      lines.add(
          "teacher " + describe(stages.teacher()) + ", " + stages.pool().ready() + " processes");
    }
    lines.add(
        String.format(
            Locale.ROOT,
            "data: %d classes, %d training and %d evaluation images",
            stages.classes(),
            stages.opened().getTrainImages(),
            stages.opened().getEvalImages()));
    RunConfig.Schedule schedule = config.schedule();
    long perEpoch = stages.stepsPerEpoch(config);
    lines.add(
        String.format(
            Locale.ROOT,
            "schedule: %d epochs of %d steps, %d steps in all; batch %d as %s, window %d, %s",
            schedule.epochs(),
            perEpoch,
            perEpoch * schedule.epochs(),
            schedule.batch(),
            Planner.sizes(schedule),
            schedule.window(),
            schedule.order().text()));
    if (stages.teacher() != null) {
      Grid grid = stages.teacher().getGrid();
      int patches = ForwardedInbox.patches(grid);
      double kept = patches * config.masking().teachersKeep();
      lines.add(
          String.format(
              Locale.ROOT,
              "masking: about %.0f of %d patches, about %.1f kB for each image to the teacher",
              kept,
              patches,
              kept * ForwardedInbox.patchBytes(grid) / 1000));
      if (config.teacher().merge() > 0) {
        lines.add(
            String.format(
                Locale.ROOT,
                "each block of the teacher merges up to %d tokens",
                config.teacher().merge()));
      }
      if (config.masking().who() != RunConfig.Who.TEACHER) {
        int own = ForwardedInbox.patches(stages.opened().getModel().getGrid());
        lines.add(
            String.format(
                Locale.ROOT,
                "the student itself is given about %.0f of its %d patches",
                own * config.masking().keep(),
                own));
      }
    }
    return lines;
  }

  /**
   * What a step and the run should take, from what the stages timed of themselves. Transfers,
   * optimizer, data and evaluations come on top.
   */
  static List<String> estimate(RunConfig config, Stages stages, StageProfile profile) {
    List<String> lines = new ArrayList<>();
    Schedule schedule = new Planner(config, stages.stepsPerEpoch(config)).settled();
    Simulation simulation = Simulator.run(schedule, profile.costs(), profile.slowness());
    if (config.schedule().microBatches().isAuto()) {
      simulation =
          Tuner.choose(profile.costs(), schedule.batch(), schedule.window(), profile.slowness())
              .prediction();
    }
    long steps = stages.stepsPerEpoch(config) * config.schedule().epochs();
    lines.add(
        String.format(
            Locale.ROOT,
            "time: %.3g s a step, %.0f images/s, bubble %s; %s for all %d steps, before optimizer,"
                + " transfers and evaluations",
            simulation.step(),
            schedule.batch() / simulation.step(),
            Progress.percent(simulation.bubble()),
            Progress.clock(steps * simulation.step()),
            steps));
    lines.add(
        String.format(
            Locale.ROOT,
            "memory: student about %.1f GB with %d samples held, teacher %.1f GB each",
            profile.studentMemory().bytes(simulation.peak()) / 1e9,
            simulation.peak(),
            profile.teacherResidentBytes() / 1e9));
    return lines;
  }

  private static String describe(ModelInfo model) {
    Grid grid = model.getGrid();
    return String.format(
        Locale.ROOT,
        "%s: %d parameters, images of %dx%d in patches of %d, %d classes",
        model.getModel(),
        model.getParameters(),
        grid.getImageHeight(),
        grid.getImageWidth(),
        grid.getPatch(),
        model.getClasses());
  }
}
