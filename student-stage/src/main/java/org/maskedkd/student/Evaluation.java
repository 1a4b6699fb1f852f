package org.maskedkd.student;

import org.maskedkd.data.Batch;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/** Counts over evaluation images. */
final class Evaluation {
  private long images;
  private long top1;
  private long top5;
  private double lossSum;

  /** Forwards {@code batch} and adds it to the counts. */
  void add(StudentForward forward, Batch batch) {
    int count = batch.count();
    float[] logits;
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      logits =
          Tensors.floats(
              forward.run(scope, RunData.images(batch, 0, count), count, null, false).logits());
    }
    int classes = logits.length / count;
    for (int i = 0; i < count; i++) {
      add(logits, i * classes, classes, batch.labels()[i]);
    }
  }

  private void add(float[] logits, int offset, int classes, int label) {
    float own = logits[offset + label];
    int better = 0;
    double max = Double.NEGATIVE_INFINITY;
    for (int c = 0; c < classes; c++) {
      float other = logits[offset + c];
      max = Math.max(max, other);
      // Ties count against the label's class only when the other class comes first, as an argmax
      // would decide.
      if (c != label && (other > own || (other == own && c < label))) {
        better++;
      }
    }
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      sum += Math.exp(logits[offset + c] - max);
    }
    images++;
    top1 += better < 1 ? 1 : 0;
    top5 += better < 5 ? 1 : 0;
    lossSum += max + Math.log(sum) - own;
  }

  long images() {
    return images;
  }

  long top1() {
    return top1;
  }

  long top5() {
    return top5;
  }

  double meanLoss() {
    return images == 0 ? Double.NaN : lossSum / images;
  }
}
