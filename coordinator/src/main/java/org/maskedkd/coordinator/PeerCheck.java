package org.maskedkd.coordinator;

import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.MessageCheck;
import org.maskedkd.runtime.RunException;

/** What stages say of themselves and of a step, before the run relies on it. */
final class PeerCheck {
  private static final int MOST_CLASSES = 1 << 20;
  private static final int MOST_PIXELS = 4096;
  private static final int MOST_BLOCKS = 1000;
  private static final int MOST_WIDTH = 1 << 16;

  /** Sums in another order, of float32 values. */
  private static final double TOLERANCE = 1e-6;

  private PeerCheck() {}

  static void student(String peer, StudentOpened opened) {
    wellFormed(peer, () -> MessageCheck.check(opened));
    fits(
        opened.getTrainImages() >= 0
            && opened.getEvalImages() >= 0
            && opened.getCommittedStep() >= 0,
        peer,
        "counts of at least 0",
        opened.getTrainImages()
            + " training images, "
            + opened.getEvalImages()
            + " evaluation images, step "
            + opened.getCommittedStep());
  }

  static void teacher(String peer, ModelInfo model) {
    wellFormed(peer, () -> MessageCheck.check(model));
    int classes = model.getClasses();
    fits(
        classes >= 1 && classes <= MOST_CLASSES,
        peer,
        "1 to " + MOST_CLASSES + " classes",
        classes);
    Grid grid = model.getGrid();
    int patch = grid.getPatch();
    Blocks blocks = model.getBlocks();
    fits(
        blocks.getCount() >= 0
            && blocks.getCount() <= MOST_BLOCKS
            && blocks.getWidth() >= 0
            && blocks.getWidth() <= MOST_WIDTH,
        peer,
        "up to " + MOST_BLOCKS + " blocks of width up to " + MOST_WIDTH,
        blocks.getCount() + " of " + blocks.getWidth());
    boolean sound =
        patch >= 1
            && side(grid.getImageHeight(), patch)
            && side(grid.getImageWidth(), patch)
            && grid.getChannels() >= 1
            && grid.getChannels() <= 64;
    fits(
        sound,
        peer,
        "a grid with sides of up to " + MOST_PIXELS + " pixels, multiples of its patch",
        "%dx%d, patch %d, %d channels"
            .formatted(grid.getImageHeight(), grid.getImageWidth(), patch, grid.getChannels()));
  }

  private static boolean side(int pixels, int patch) {
    return pixels >= patch && pixels <= MOST_PIXELS && pixels % patch == 0;
  }

  /**
   * Whether the student counted what it was told.
   *
   * @param sums of what it was sent with the gradients
   */
  static void record(String peer, PlannedStep plan, StepRecord record, LossParts sums) {
    int batch = plan.schedule().batch();
    LossParts loss = record.getLoss();
    require(record.getImages() == batch, peer, batch + " images", record.getImages());
    require(
        record.getEpoch() == plan.epoch() && record.getLearningRate() == plan.learningRate(),
        peer,
        "epoch " + plan.epoch() + " at learning rate " + plan.learningRate(),
        "epoch " + record.getEpoch() + " at " + record.getLearningRate());
    double features = loss.getFeatures();
    require(
        features >= 0 && loss.getManifold() >= 0 && loss.getAttention() >= 0,
        peer,
        "losses of features of at least 0",
        features + " of " + loss.getManifold() + " and " + loss.getAttention());
    mean(peer, "loss", sums.getTotal() / batch + features, loss.getTotal());
    mean(peer, "base loss", sums.getBase() / batch, loss.getBase());
    mean(peer, "distillation loss", sums.getDistillation() / batch, loss.getDistillation());
    require(
        loss.getStudentCorrect() == sums.getStudentCorrect()
            && loss.getTeacherCorrect() == sums.getTeacherCorrect(),
        peer,
        sums.getStudentCorrect() + " and " + sums.getTeacherCorrect() + " correct samples",
        loss.getStudentCorrect() + " and " + loss.getTeacherCorrect());
    for (double value :
        new double[] {
          record.getGradientNorm(),
          record.getDataWaitSeconds(),
          record.getDataCpuSeconds(),
          record.getStepSeconds()
        }) {
      require(
          value >= 0 && Double.isFinite(value),
          peer,
          "a norm and times that are finite and at least 0",
          value);
    }
    require(
        record.getSkippedImages() >= 0
            && record.getStaleSamples() >= 0
            && record.getStaleSamples() <= batch,
        peer,
        "counts within the batch of " + batch,
        record.getSkippedImages() + " skipped, " + record.getStaleSamples() + " stale");
  }

  private static void mean(String peer, String what, double expected, double found) {
    require(
        Math.abs(found - expected) <= TOLERANCE * Math.max(1, Math.abs(expected)),
        peer,
        "a " + what + " of " + expected,
        found);
  }

  private static void wellFormed(String peer, Runnable check) {
    try {
      check.run();
    } catch (IllegalArgumentException e) {
      throw new RunException(
          ExitCode.INCOMPATIBLE, peer + " answered wrongly: " + e.getMessage(), e);
    }
  }

  /** What is wrong at the handshake is another kind of peer, or none. */
  private static void fits(boolean holds, String peer, String expected, Object found) {
    require(ExitCode.INCOMPATIBLE, holds, peer, expected, found);
  }

  private static void require(boolean holds, String peer, String expected, Object found) {
    require(ExitCode.INTERNAL, holds, peer, expected, found);
  }

  private static void require(
      ExitCode code, boolean holds, String peer, String expected, Object found) {
    if (!holds) {
      throw new RunException(
          code, "%s answered wrongly: expected %s, found %s".formatted(peer, expected, found));
    }
  }
}
