package org.maskedkd.vit;

import java.util.Locale;

/** How often a model was right. One thread at a time. */
public final class Accuracy {
  private long images;
  private long top1;
  private long top5;

  /**
   * Adds a batch.
   *
   * @param logits {@code [labels.length, classes]} row-major
   */
  public void add(float[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    for (int i = 0; i < labels.length; i++) {
      int rank = rank(logits, i * classes, classes, labels[i]);
      images++;
      top1 += rank < 1 ? 1 : 0;
      top5 += rank < 5 ? 1 : 0;
    }
  }

  /** How many classes come before the label's; of equal logits the lower class comes first. */
  private static int rank(float[] logits, int from, int classes, int label) {
    float own = logits[from + label];
    int before = 0;
    for (int c = 0; c < classes; c++) {
      float other = logits[from + c];
      before +=
          other > own || (other == own && c < label) || (Float.isNaN(own) && c != label) ? 1 : 0;
    }
    return before;
  }

  /** Images counted so far. */
  public long images() {
    return images;
  }

  /** Images whose label has the strongest logit. */
  public long top1Count() {
    return top1;
  }

  /** Images whose label is among the five strongest. */
  public long top5Count() {
    return top5;
  }

  /** Share of the images, NaN before the first. */
  public double top1() {
    return share(top1);
  }

  /** Share of the images, NaN before the first. */
  public double top5() {
    return share(top5);
  }

  /** Of a share of these images, as of a binomial count. */
  public double standardError(double share) {
    return images == 0 ? Double.NaN : Math.sqrt(share * (1 - share) / images);
  }

  private double share(long count) {
    return images == 0 ? Double.NaN : (double) count / images;
  }

  /** Both shares with their standard errors, for a person. */
  public String describe() {
    return String.format(
        Locale.ROOT,
        "top-1 %.2f %% (standard error %.2f), top-5 %.2f %% (%.2f) of %d images",
        100 * top1(),
        100 * standardError(top1()),
        100 * top5(),
        100 * standardError(top5()),
        images);
  }
}
