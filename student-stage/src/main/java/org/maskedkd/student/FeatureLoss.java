package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.List;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.Features;
import org.maskedkd.vit.PatchSelection;

/**
 * What the student's features add to the loss of a micro-batch, with its gradient. The teacher's
 * are constants, and so are the places of the patches that both are compared at.
 *
 * <p>Manifold distillation: with F the patches' tokens of a block, each scaled to length 1, the
 * mean squared difference of FFᵀ between student and teacher, for the patches of an image, for the
 * images of a group at each kept patch in its order, and for {@code rows} of the group's patches.
 * Attention: the divergence of the student's class row from the teacher's, both scaled to add up to
 * 1 over the kept patches. Each is the mean over its pairs of blocks.
 *
 * @param seed of what is drawn
 */
record FeatureLoss(Objective objective, long seed) {

  /** Keeps these draws apart from those of other purposes, which count samples from 0 on. */
  private static final int ROWS = 1 << 30;

  /**
   * Sums over the samples of a micro-batch.
   *
   * @param manifold without the weight of the whole
   * @param attention without its weight
   * @param features both, with the weights
   */
  record Sums(double manifold, double attention, double features) {
    static final Sums NONE = new Sums(0, 0, 0);
  }

  /**
   * The loss of one micro-batch.
   *
   * @param total what is added to the loss of the whole batch, {@code []} with its graph
   */
  record Parts(NDArray total, Sums sums) {}

  /**
   * Where the micro-batch stands.
   *
   * @param first the first sample's place in the batch
   * @param samples of the micro-batch
   * @param batch samples of the whole step
   */
  record Place(long step, int first, int samples, int batch) {}

  /**
   * Compares. Run it inside an open {@link Scope}, with gradients on.
   *
   * @param student of all patches, from a forward with gradients
   * @param teacher of the kept patches
   * @param kept int64 {@code [samples, kept]}, the patches' places
   */
  Parts of(Features student, Features teacher, NDArray kept, Place place) {
    List<NDArray> manifolds = new ArrayList<>();
    List<Double> shares = new ArrayList<>();
    BlockPairs pairs = objective.manifoldPairs();
    for (int i = 0; i < pairs.count(); i++) {
      NDArray s = student.tokens().get(pairs.ofStudent().indexOf(pairs.student().get(i)));
      NDArray t = teacher.tokens().get(pairs.ofTeacher().indexOf(pairs.teacher().get(i)));
      relate(Ops.gatherTokens(s, kept), t, place, manifolds, shares);
    }
    List<NDArray> terms = new ArrayList<>();
    List<Double> weights = new ArrayList<>();
    double manifold = 0;
    if (!manifolds.isEmpty()) {
      NDArray sum = Ops.weightedSum(manifolds, array(shares, 1.0 / pairs.count()));
      manifold = Tensors.floats(sum)[0];
      terms.add(sum);
      weights.add(objective.manifold().getWeight());
    }
    double attention = 0;
    if (objective.attentionPairs().count() > 0) {
      NDArray sum = attention(student, teacher, kept, place);
      // Of equal rows rounding may leave a little less than nothing.
      attention = Math.max(0, Tensors.floats(sum)[0]);
      terms.add(sum);
      weights.add(objective.attention().getWeight());
    }
    return new Parts(
        Ops.weightedSum(terms, array(weights, 1.0 / place.batch)),
        new Sums(
            manifold,
            attention,
            objective.manifold().getWeight() * manifold
                + objective.attention().getWeight() * attention));
  }

  private NDArray attention(Features student, Features teacher, NDArray kept, Place place) {
    BlockPairs pairs = objective.attentionPairs();
    List<NDArray> divergences = new ArrayList<>();
    List<Double> shares = new ArrayList<>();
    for (int i = 0; i < pairs.count(); i++) {
      NDArray row = student.attention().get(pairs.ofStudent().indexOf(pairs.student().get(i)));
      NDArray theirs = teacher.attention().get(pairs.ofTeacher().indexOf(pairs.teacher().get(i)));
      NDArray ours = Ops.gatherTokens(row.expandDims(2), kept).squeeze(2);
      divergences.add(Ops.rowDivergence(ours, theirs));
      shares.add((double) place.samples);
    }
    return Ops.weightedSum(divergences, array(shares, 1.0 / pairs.count()));
  }

  /** Adds the parts of one pair of blocks, each with its weight and the samples it is a mean of. */
  private void relate(NDArray s, NDArray t, Place place, List<NDArray> parts, List<Double> shares) {
    Manifold manifold = objective.manifold();
    if (manifold.getPatch() > 0) {
      parts.add(Ops.relationDifference(s, t));
      shares.add(manifold.getPatch() * place.samples);
    }
    if (manifold.getSample() == 0 && manifold.getRandom() == 0) {
      return;
    }
    int group = manifold.getGroup();
    for (int from = 0; from < place.samples; from += group) {
      String rows = from + ":" + Math.min(from + group, place.samples);
      NDArray ours = s.get(rows);
      NDArray theirs = t.get(rows);
      double samples = ours.getShape().get(0);
      if (manifold.getSample() > 0) {
        parts.add(Ops.relationDifference(ours.transpose(1, 0, 2), theirs.transpose(1, 0, 2)));
        shares.add(manifold.getSample() * samples);
      }
      if (manifold.getRandom() > 0) {
        NDArray drawn = drawn(ours, place.step, place.first + from);
        parts.add(Ops.relationDifference(some(ours, drawn), some(theirs, drawn)));
        shares.add(manifold.getRandom() * samples);
      }
    }
  }

  /** Rows of a group's patches, the same for all pairs of blocks. */
  private NDArray drawn(NDArray group, long step, int first) {
    int all = Math.toIntExact(group.getShape().get(0) * group.getShape().get(1));
    int count = Math.min(objective.manifold().getRows(), all);
    int[] ids = PatchSelection.random(seed, step, ROWS + first, all, count);
    long[] wide = new long[count];
    for (int i = 0; i < count; i++) {
      wide[i] = ids[i];
    }
    return Tensors.of(group.getManager(), wide, 1, count);
  }

  private static NDArray some(NDArray group, NDArray drawn) {
    return Ops.gatherTokens(group.reshape(1, -1, group.getShape().get(2)), drawn);
  }

  private static double[] array(List<Double> values, double factor) {
    return values.stream().mapToDouble(value -> value * factor).toArray();
  }
}
