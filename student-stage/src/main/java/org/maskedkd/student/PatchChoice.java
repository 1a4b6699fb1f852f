package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.Saliency;

/**
 * Which patches of an image the teacher sees, or the student in training: by whose attention, in
 * which order, how many.
 */
final class PatchChoice {
  private final Masking masking;
  private final ModelConfig student;
  private final ModelConfig scoring;
  private final @Nullable Guide guide;
  private final long seed;

  /**
   * @param guide whose attention chooses; null where the student's does, or chance
   * @param seed of what is drawn
   */
  PatchChoice(Masking masking, ModelConfig student, @Nullable Guide guide, long seed) {
    this.masking = masking;
    this.student = student;
    this.scoring = guide == null ? student : guide.config();
    this.guide = guide;
    this.seed = seed;
  }

  /** The attention that {@code masking} asks for. */
  static AttentionRow row(Masking masking) {
    return new AttentionRow(
        masking.getRow() == Masking.Row.ROW_PATCHES
            ? AttentionRow.From.PATCHES
            : AttentionRow.From.CLASS,
        masking.hasLayer() ? masking.getLayer() : AttentionRow.LAST_CLASS.layer());
  }

  /** How many of its {@code patches} the teacher sees. */
  int teachersKept(double keep, int patches) {
    return masking.getWho() == Masking.Who.WHO_STUDENT
        ? patches
        : PatchSelection.keepCount(keep, patches);
  }

  /** How many of its own patches the student sees in training. */
  int studentsKept(double keep) {
    boolean masked =
        masking.getWho() == Masking.Who.WHO_STUDENT || masking.getWho() == Masking.Who.WHO_BOTH;
    return masked ? PatchSelection.keepCount(keep, student.patches()) : student.patches();
  }

  /** Whether the student itself is masked in training. */
  boolean masksStudent(double keep) {
    return studentsKept(keep) < student.patches();
  }

  /**
   * Patches that the student alone is given.
   *
   * @param scores the score maps that count, see {@link #of}
   * @param kept {@code [images, k]} places on the student's grid, row-major, ascending in each row
   */
  // Bulk data, handed on and never compared.
  @SuppressWarnings("ArrayRecordComponent")
  record StudentMask(float[][] scores, int[] kept) {}

  /**
   * Chooses the patches that the student itself is given.
   *
   * @param attention the student's score maps of these images, a forward of its own; asked for only
   *     where they count
   */
  StudentMask studentMask(
      ByteBuffer images,
      int count,
      Supplier<float[][]> attention,
      double keep,
      long step,
      int firstPosition) {
    int k = studentsKept(keep);
    int patches = student.patches();
    float[][] students = needsStudent(k, patches) ? attention.get() : new float[0][];
    float[][] scores = scores(images, count, students, k, patches);
    return new StudentMask(
        scores,
        all(scores, count, student.gridRows(), student.gridColumns(), k, step, firstPosition));
  }

  /** {@link #of} for each of the images: {@code [count, k]} row-major. */
  int[] all(
      float[][] scores, int count, int rows, int columns, int k, long step, int firstPosition) {
    int[] indices = new int[count * k];
    for (int image = 0; image < count; image++) {
      int[] chosen = of(scores, image, rows, columns, k, step, firstPosition + image);
      System.arraycopy(chosen, 0, indices, image * k, k);
    }
    return indices;
  }

  /** Whether the student's attention is needed for choosing {@code k} of so many. */
  boolean needsStudent(int k, int patches) {
    return masking.getCriterion() == Masking.Criterion.CRITERION_STUDENT && k < patches;
  }

  /** The score maps that count: the guide's of these images where there is one. */
  float[][] scores(ByteBuffer images, int count, float[][] students, int k, int patches) {
    return guide == null || k == patches ? students : guide.saliency(images, count);
  }

  /**
   * The chosen patches of a grid, ascending.
   *
   * @param scores one for each patch of the grid that the scores are from; not read where chance
   *     chooses, or all are kept
   * @param step with {@code position} in the batch decides what is drawn
   */
  int[] of(float[][] scores, int image, int rows, int columns, int k, long step, int position) {
    int patches = rows * columns;
    if (k == patches) {
      int[] all = new int[patches];
      Arrays.setAll(all, i -> i);
      return all;
    }
    if (masking.getCriterion() == Masking.Criterion.CRITERION_RANDOM) {
      return PatchSelection.random(seed, step, position, patches, k);
    }
    float[] moved =
        Saliency.toGrid(scores[image], scoring.gridRows(), scoring.gridColumns(), rows, columns);
    int drawn = (int) Math.min(k - 1L, Math.round(masking.getRandomShare() * k));
    int[] chosen =
        masking.getOrder() == Masking.Order.ORDER_BOTTOM
            ? PatchSelection.bottomK(moved, k - drawn)
            : PatchSelection.topK(moved, k - drawn);
    return PatchSelection.withRandom(chosen, drawn, seed, step, position, patches);
  }
}
