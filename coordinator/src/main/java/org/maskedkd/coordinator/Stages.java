package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.StudentOpened;

/**
 * The stages of a run after their handshakes.
 *
 * @param pool null without teachers, as {@code teacher}
 */
record Stages(
    StudentLink student,
    StudentOpened opened,
    @Nullable TeacherPool pool,
    @Nullable ModelInfo teacher,
    ForwardedInbox inbox) {

  int classes() {
    return opened.getModel().getClasses();
  }

  /** Whole batches in the training images. */
  long stepsPerEpoch(RunConfig config) {
    return opened.getTrainImages() / config.schedule().batch();
  }

  String teacherDigest() {
    return teacher == null ? "" : teacher.getWeightsDigest();
  }

  CoordinatorState state(RunConfig config, long step, int epoch, int attempt, double bestTop1) {
    return new CoordinatorState(
        Resumption.digest(config),
        opened.getDataFingerprint(),
        teacherDigest(),
        step,
        epoch,
        attempt,
        bestTop1);
  }
}
