package org.maskedkd.student;

import org.maskedkd.data.Batch;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.Accuracy;

/** Accuracy and loss over evaluation images. */
final class Evaluation {
  private final Accuracy accuracy = new Accuracy();
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
    accuracy.add(logits, batch.labels());
    int classes = logits.length / count;
    for (int i = 0; i < count; i++) {
      lossSum += crossEntropy(logits, i * classes, classes, batch.labels()[i]);
    }
  }

  private static double crossEntropy(float[] logits, int offset, int classes, int label) {
    double max = Double.NEGATIVE_INFINITY;
    for (int c = 0; c < classes; c++) {
      max = Math.max(max, logits[offset + c]);
    }
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      sum += Math.exp(logits[offset + c] - max);
    }
    return max + Math.log(sum) - logits[offset + label];
  }

  Accuracy accuracy() {
    return accuracy;
  }

  double meanLoss() {
    return accuracy.images() == 0 ? Double.NaN : lossSum / accuracy.images();
  }
}
