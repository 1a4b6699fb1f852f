package org.maskedkd.coordinator;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.runtime.Release;

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

  /** How the teachers compute; empty without them. */
  Numerics teacherNumerics() {
    return pool == null ? Numerics.getDefaultInstance() : pool.numerics();
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
        bestTop1,
        Resumption.deciding(config));
  }

  /** What the coordinator knows of where the student's weights after {@code step} come from. */
  Map<String, String> provenance(RunConfig config, long step) {
    Map<String, String> facts = new TreeMap<>();
    facts.put("step", Long.toString(step));
    facts.put("config_sha256", Resumption.digest(config));
    facts.put("coordinator_program", Release.version());
    if (teacher != null) {
      facts.put("teacher_model", teacher.getModel());
      facts.put("teacher_sha256", teacher.getWeightsDigest());
      facts.put("teacher_file_sha256", teacher.getWeightsFileSha256());
      facts.put("teacher_license", teacher.getWeightsLicense());
    }
    return facts;
  }
}
