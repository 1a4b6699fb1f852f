package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.ModelInfo;

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
      double kept = patches * config.masking().keep();
      lines.add(
          String.format(
              Locale.ROOT,
              "masking: about %.0f of %d patches, about %.1f kB for each image to the teacher",
              kept,
              patches,
              kept * ForwardedInbox.patchBytes(grid) / 1000));
    }
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
