package org.maskedkd.vit;

/**
 * How much is looked at each patch: a row of a block's attention ({@link AttentionRow}), mean over
 * heads, prefix columns dropped and not renormalised.
 */
public final class Saliency {

  private Saliency() {}

  /**
   * Saliency of one image.
   *
   * @param attention {@code [heads, tokens]} row-major, tokens being the prefix and then the
   *     patches
   * @return one score for each of the {@code tokens - prefix} patches
   */
  public static float[] of(float[] attention, int heads, int prefix) {
    return of(attention, 1, heads, prefix)[0];
  }

  /**
   * Saliency of each image of a batch.
   *
   * @param attention {@code [batch, heads, tokens]} row-major
   * @return {@code [batch][tokens - prefix]}
   */
  public static float[][] of(float[] attention, int batch, int heads, int prefix) {
    int tokens = attention.length / (batch * heads);
    if (tokens * batch * heads != attention.length || tokens <= prefix) {
      throw new IllegalArgumentException(
          "%d attention weights do not make %d images x %d heads x more than %d tokens"
              .formatted(attention.length, batch, heads, prefix));
    }
    float[][] scores = new float[batch][tokens - prefix];
    for (int image = 0; image < batch; image++) {
      for (int patch = 0; patch < tokens - prefix; patch++) {
        double sum = 0;
        for (int head = 0; head < heads; head++) {
          sum += attention[(image * heads + head) * tokens + prefix + patch];
        }
        scores[image][patch] = (float) (sum / heads);
      }
    }
    return scores;
  }

  /**
   * Moves a score map to another grid by bilinear interpolation with pixel centres at half-integers
   * (align_corners=false), nothing smoothed beforehand. In double and in one fixed order, so that
   * every machine chooses the same patches.
   *
   * @param scores {@code [rows, columns]} row-major
   * @return {@code [newRows, newColumns]} row-major; {@code scores} itself when the grids are equal
   */
  public static float[] toGrid(float[] scores, int rows, int columns, int newRows, int newColumns) {
    if (scores.length != rows * columns) {
      throw new IllegalArgumentException(
          "%d scores do not fill a grid of %dx%d".formatted(scores.length, rows, columns));
    }
    if (rows == newRows && columns == newColumns) {
      return scores;
    }
    float[] moved = new float[newRows * newColumns];
    for (int row = 0; row < newRows; row++) {
      double y = source(row, rows, newRows);
      int top = (int) y;
      int bottom = Math.min(top + 1, rows - 1);
      for (int column = 0; column < newColumns; column++) {
        double x = source(column, columns, newColumns);
        int left = (int) x;
        int right = Math.min(left + 1, columns - 1);
        double above = mix(scores[top * columns + left], scores[top * columns + right], x - left);
        double below =
            mix(scores[bottom * columns + left], scores[bottom * columns + right], x - left);
        moved[row * newColumns + column] = (float) mix(above, below, y - top);
      }
    }
    return moved;
  }

  private static double source(int index, int from, int to) {
    return Math.max(0, (index + 0.5) * from / to - 0.5);
  }

  private static double mix(double a, double b, double share) {
    return a * (1 - share) + b * share;
  }
}
