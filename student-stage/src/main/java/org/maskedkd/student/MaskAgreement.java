package org.maskedkd.student;

/** How far stale masks and those that the newest weights choose are the same. */
final class MaskAgreement {
  private int samples;
  private double sum;

  /**
   * Takes a micro-batch.
   *
   * @param stale {@code [samples, kept]}, ascending in each row
   * @param fresh likewise
   */
  void add(int[] stale, int[] fresh, int ofSamples) {
    int kept = fresh.length / ofSamples;
    for (int row = 0; row < fresh.length; row += kept) {
      int common = 0;
      for (int i = row, j = row; i < row + kept && j < row + kept; ) {
        if (stale[i] == fresh[j]) {
          common++;
          i++;
          j++;
        } else if (stale[i] < fresh[j]) {
          i++;
        } else {
          j++;
        }
      }
      sum += (double) common / kept;
    }
    samples += ofSamples;
  }

  int samples() {
    return samples;
  }

  /** Mean over the samples of the share of the kept patches that both keep; 0 without samples. */
  double mean() {
    return samples == 0 ? 0 : sum / samples;
  }
}
