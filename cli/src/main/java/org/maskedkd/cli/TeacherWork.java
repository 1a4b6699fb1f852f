package org.maskedkd.cli;

import java.util.Optional;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.vit.BlockTokens;
import org.maskedkd.vit.Macs;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.VitConfig;

/**
 * The teacher's multiply-accumulates in the steps that a run has done: forward passes, matrix
 * products only.
 *
 * @param model the teacher; empty without one
 * @param done of what it saw
 * @param full of all patches of the same images
 * @param images that it saw, each as often as it was seen
 */
record TeacherWork(String model, double done, double full, double images) {

  /**
   * Counts it; empty when the teacher's model, the configuration or the steps are not known.
   *
   * <p>Where the student alone is masked, the teacher sees every patch. Tokens that its blocks
   * merge count as long as they are there. Where the teacher itself chooses the patches, its second
   * forward of the whole image counts too.
   */
  static Optional<TeacherWork> of(RunFiles run) {
    RunConfig config = run.config();
    if (config == null || run.steps().size() == 0) {
      return Optional.empty();
    }
    double all = run.steps().sum(StepTable.Column.IMAGES);
    if (!config.distils()) {
      return Optional.of(new TeacherWork("", 0, 0, all));
    }
    String name = run.metadata().getOrDefault("teacher_model", config.teacher().model());
    VitConfig model;
    try {
      model = ModelZoo.parse(name);
    } catch (IllegalArgumentException onlyItsWeightsKnowIt) {
      return Optional.empty();
    }
    double full = Macs.full(model);
    RunConfig.Masking masking = config.masking();
    boolean chooses = masking.criterion() == RunConfig.Criterion.TEACHER;
    double[] images = run.steps().column(StepTable.Column.IMAGES);
    double[] epochs = run.steps().column(StepTable.Column.EPOCH);
    double done = 0;
    for (int i = 0; i < images.length; i++) {
      double keep = masking.keepIn((int) epochs[i], config.schedule().epochs());
      int chosen = PatchSelection.keepCount(keep, model.patches());
      int kept = masking.who() == RunConfig.Who.STUDENT ? model.patches() : chosen;
      double own =
          Macs.forward(model, kept, BlockTokens.merging(model, kept, config.teacher().merge()));
      done += images[i] * (own + (chooses && chosen < model.patches() ? full : 0));
    }
    return Optional.of(new TeacherWork(name, done, full * all, all));
  }

  double perImage() {
    return images == 0 ? 0 : done / images;
  }

  /** Of the work with all patches; 0 without a teacher. */
  double share() {
    return full == 0 ? 0 : done / full;
  }
}
