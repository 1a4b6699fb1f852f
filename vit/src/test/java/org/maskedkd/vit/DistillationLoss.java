package org.maskedkd.vit;

/**
 * The loss of the golden cases and its gradient by the student's logits, in closed form and in
 * double.
 */
@SuppressWarnings("ArrayRecordComponent") // a result, never compared
record DistillationLoss(double ce, double kl, double loss, float[] gradient) {

  /**
   * @param student {@code [samples][classes]} of these samples only
   * @param target rows of probabilities
   * @param batch samples of the whole batch, by which every sum is divided
   */
  static DistillationLoss of(
      float[][] student,
      float[][] teacher,
      double[][] target,
      int batch,
      double alpha,
      double temperature) {
    int classes = student[0].length;
    float[] gradient = new float[student.length * classes];
    double ce = 0;
    double kl = 0;
    for (int i = 0; i < student.length; i++) {
      double[] logQ = logSoftmax(student[i], 1);
      double[] logSoftQ = logSoftmax(student[i], temperature);
      double[] logSoftP = logSoftmax(teacher[i], temperature);
      double mass = 0;
      for (double w : target[i]) {
        mass += w;
      }
      for (int c = 0; c < classes; c++) {
        double softP = Math.exp(logSoftP[c]);
        ce -= target[i][c] * logQ[c] / batch;
        kl += softP * (logSoftP[c] - logSoftQ[c]) / batch;
        gradient[i * classes + c] =
            (float)
                (((1 - alpha) * (Math.exp(logQ[c]) * mass - target[i][c])
                        + alpha * temperature * (Math.exp(logSoftQ[c]) - softP))
                    / batch);
      }
    }
    double loss = (1 - alpha) * ce + alpha * temperature * temperature * kl;
    return new DistillationLoss(ce, kl, loss, gradient);
  }

  private static double[] logSoftmax(float[] logits, double temperature) {
    double largest = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit / temperature);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit / temperature - largest);
    }
    double[] out = new double[logits.length];
    for (int c = 0; c < out.length; c++) {
      out[c] = logits[c] / temperature - largest - Math.log(sum);
    }
    return out;
  }
}
