package org.maskedkd.vit;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Which patches of an image are kept. Indices count patches in row-major order of the grid; 0 is
 * the first patch.
 */
public final class PatchSelection {

  private static final long STREAM = 2;

  private PatchSelection() {}

  /**
   * The number of patches that {@code ratio} of {@code patches} keeps: rounded half up, at least 1.
   *
   * @throws IllegalArgumentException if the ratio is outside (0, 1]
   */
  public static int keepCount(double ratio, int patches) {
    if (!(ratio > 0 && ratio <= 1)) {
      throw new IllegalArgumentException(
          "keep ratio %s is outside (0, 1]; 0.5 keeps every second patch".formatted(ratio));
    }
    return (int) Math.max(1, Math.round(ratio * patches));
  }

  /** The {@code k} highest scores' indices, ascending. */
  public static int[] topK(float[] scores, int k) {
    int[] ids = topKByScore(scores, k);
    Arrays.sort(ids);
    return ids;
  }

  /**
   * The {@code k} highest scores' indices, highest score first, the lower index first among equal
   * scores.
   *
   * @throws NotFiniteException if a score is not a number
   * @throws IllegalArgumentException if {@code k} is outside 1..scores
   */
  public static int[] topKByScore(float[] scores, int k) {
    checkCount(k, scores.length);
    for (int i = 0; i < scores.length; i++) {
      if (Float.isNaN(scores[i])) {
        throw new NotFiniteException(
            "the score of patch %d of %d is NaN: the model that chooses has diverged"
                .formatted(i, scores.length));
      }
    }
    // The sort is stable, so ties stay in order of index; == instead of Float.compare lets 0.0 and
    // -0.0 tie.
    return IntStream.range(0, scores.length)
        .boxed()
        .sorted((a, b) -> scores[a] == scores[b] ? 0 : Float.compare(scores[b], scores[a]))
        .limit(k)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /**
   * The {@code k} lowest scores' indices, ascending; the lower index first among equal scores.
   *
   * @throws IllegalArgumentException as {@link #topKByScore}
   */
  public static int[] bottomK(float[] scores, int k) {
    float[] turned = scores.clone();
    for (int i = 0; i < turned.length; i++) {
      turned[i] = -turned[i];
    }
    return topK(turned, k);
  }

  /**
   * Adds random ones to a choice: a pure function of seed, step and the sample's position in the
   * whole batch.
   *
   * @param chosen ascending, of {@code n}
   * @return {@code chosen} and {@code more} of the others, each set equally likely, ascending
   */
  public static int[] withRandom(
      int[] chosen, int more, long seed, long step, int position, int n) {
    boolean[] taken = new boolean[n];
    for (int id : chosen) {
      taken[id] = true;
    }
    int[] others = IntStream.range(0, n).filter(i -> !taken[i]).toArray();
    int[] drawn = more == 0 ? new int[0] : random(seed, step, position, others.length, more);
    return IntStream.concat(Arrays.stream(chosen), Arrays.stream(drawn).map(i -> others[i]))
        .sorted()
        .toArray();
  }

  /**
   * {@code k} of {@code n} patches, each set equally likely, ascending: a pure function of seed,
   * step and the sample's position in the whole batch.
   */
  public static int[] random(long seed, long step, int position, int n, int k) {
    checkCount(k, n);
    SplittableRandom random = Draws.of(STREAM, seed, step, position);
    int[] ids = IntStream.range(0, n).toArray();
    for (int i = 0; i < k; i++) {
      int j = random.nextInt(i, n);
      int picked = ids[j];
      ids[j] = ids[i];
      ids[i] = picked;
    }
    int[] kept = Arrays.copyOf(ids, k);
    Arrays.sort(kept);
    return kept;
  }

  private static void checkCount(int k, int n) {
    if (k < 1 || k > n) {
      throw new IllegalArgumentException(
          "%d patches to keep are not between 1 and the grid's %d".formatted(k, n));
    }
  }
}
