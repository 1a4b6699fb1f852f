package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.Saliency;

/** Which patches of an image the teacher sees: by whose attention, in which order, how many. */
final class PatchChoice {
  private final Masking masking;
  private final ModelConfig scoring;
  private final @Nullable Guide guide;
  private final long seed;

  /**
   * @param guide whose attention chooses; null where the student's does, or chance
   * @param seed of what is drawn
   */
  PatchChoice(Masking masking, ModelConfig student, @Nullable Guide guide, long seed) {
    this.masking = masking;
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
