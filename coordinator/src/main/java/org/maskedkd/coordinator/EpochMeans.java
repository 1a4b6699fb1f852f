package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;

/** Means over the steps of the epoch under way. */
final class EpochMeans {

  private int epoch = -1;
  private long images;
  private double loss;
  private double correct;
  private double teacherCorrect;
  private boolean teacher;

  void add(StepLine line) {
    if (line.epoch() != epoch) {
      epoch = line.epoch();
      images = 0;
      loss = 0;
      correct = 0;
      teacherCorrect = 0;
    }
    images += line.images();
    loss += line.loss() * line.images();
    correct += line.studentTop1() * line.images();
    teacher = line.teacherTop1() != null;
    teacherCorrect += line.teacherTop1() == null ? 0 : line.teacherTop1() * line.images();
  }

  double loss() {
    return loss / Math.max(1, images);
  }

  double top1() {
    return correct / Math.max(1, images);
  }

  @Nullable Double teacherTop1() {
    return teacher ? teacherCorrect / Math.max(1, images) : null;
  }
}
