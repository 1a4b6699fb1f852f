package org.maskedkd.schedule;

/** What a step takes, by formulas of the times per micro-batch; no simulation. */
final class ClosedForms {
  private ClosedForms() {}

  /**
   * Equal micro-batches, one teacher, everything may be held, and the way there and back takes no
   * longer than a teacher's forward.
   */
  static double eagerUniform(int m, double f, double t, double b, double c1, double c2, double u) {
    double studentBound = m * (f + b);
    double teacherBound = f + c1 + m * t + c2 + b;
    double lastAfterForwards = m * f + c1 + t + c2 + b;
    double firstBeforeBackwards = f + c1 + t + c2 + m * b;
    return u
        + Math.max(
            Math.max(studentBound, teacherBound),
            Math.max(lastAfterForwards, firstBeforeBackwards));
  }

  /** Equal micro-batches, one teacher, no overheads, all backwards after the last signal. */
  static double fillDrain(int m, double forward, double teacher, double backward) {
    return Math.max(forward + teacher / m, forward / m + teacher) + backward;
  }

  /** No exact schedule with one teacher is faster. Arrays hold the times per micro-batch. */
  static double lowerBound(double[] f, double[] t, double[] b, double c1, double c2, double u) {
    double student = 0;
    double teacher = 0;
    for (int i = 0; i < f.length; i++) {
      student += f[i] + b[i];
      teacher += t[i];
    }
    return u + Math.max(student, f[0] + c1 + teacher + c2 + b[b.length - 1]);
  }
}
