package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;

/**
 * A line of {@code epochs.jsonl}: an evaluation, usually at the end of an epoch.
 *
 * @param epoch from 0 on
 * @param step the last committed one
 * @param trainLoss mean over the epoch's steps so far
 * @param loss mean cross-entropy with the labels of the evaluation images; this and what follows is
 *     null without such
 * @param top1 share of the evaluation images
 * @param emaTop1 of the averaged weights; null without them
 * @param best whether this is the best accuracy so far, of either set of weights
 */
record EpochLine(
    int epoch,
    long step,
    double trainLoss,
    double trainTop1,
    @Nullable Double teacherTrainTop1,
    @Nullable Long images,
    @Nullable Double loss,
    @Nullable Double top1,
    @Nullable Double top5,
    @Nullable Double emaTop1,
    @Nullable Double emaTop5,
    @Nullable Double seconds,
    boolean best) {

  /** The better of the two accuracies; -1 when nothing was evaluated. */
  double bestTop1() {
    return Math.max(top1 == null ? -1 : top1, emaTop1 == null ? -1 : emaTop1);
  }
}
