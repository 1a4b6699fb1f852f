package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Looks for the sizes of a given number of micro-batches that make an eager step short.
 *
 * <p>It begins with a ramp, a plateau and a ramp. A teacher does not starve while the next forward
 * is done before it is through: from a small first micro-batch on, each next may be as large as
 * that allows. Nor does the student fall behind at the end if each backward is done before the next
 * signal: from a small last micro-batch backwards, each one before may be as large as that allows.
 * Between them lies what is left of the batch, level. Then samples are moved from one micro-batch
 * to another as long as the simulated step gets shorter.
 */
final class SizeSearch {

  /** What counts as shorter. */
  private static final double GAIN = 1e-9;

  /** Passes over all pairs with the same number of samples moved. */
  private static final int PASSES = 3;

  private final Costs costs;
  private final int batch;
  private final int cap;
  private final List<Double> slowness;
  private final double[] forward;
  private final double[] backward;
  private final double[] teacher;
  private final Map<List<Integer>, Found> known = new HashMap<>();
  private int simulations;

  /** Sizes and how long their step takes. */
  record Found(List<Integer> sizes, double step) {}

  /**
   * @param cap the window; no micro-batch is larger
   */
  SizeSearch(Costs costs, int batch, int cap, List<Double> slowness) {
    this.batch = batch;
    this.cap = cap;
    this.slowness = slowness;
    this.forward = table(costs.forward());
    this.backward = table(costs.backward());
    double speed = slowness.stream().mapToDouble(factor -> 1 / factor).sum();
    double[] one = table(costs.teacher());
    this.teacher = IntStream.range(0, one.length).mapToDouble(n -> one[n] / speed).toArray();
    double[] indices = table(costs.indices());
    double[] signals = table(costs.signals());
    this.costs =
        new Costs(
            n -> forward[n],
            n -> one[n],
            n -> backward[n],
            n -> indices[n],
            n -> signals[n],
            costs.optimizer());
  }

  private double[] table(Cost cost) {
    double[] table = new double[batch + 1];
    for (int n = 1; n <= batch; n++) {
      table[n] = cost.of(n);
    }
    return table;
  }

  Found uniform(int count) {
    return of(SchedulePlanner.uniform(batch, count));
  }

  /** The best ramp, plateau and ramp of {@code count}, or the uniform sizes if they are better. */
  Found start(int count) {
    Found best = uniform(count);
    int bestFirst = 0;
    int bestLast = 0;
    int[] ends = ladder(count);
    for (int level : new int[] {cap, cap / 2, cap / 3}) {
      for (int first : ends) {
        for (int last : ends) {
          Found found = ramps(count, first, last, level);
          if (found.step() < best.step()) {
            best = found;
            bestFirst = first;
            bestLast = last;
          }
        }
      }
    }
    return refined(best, bestFirst, bestLast);
  }

  /** Sizes worth trying for the first and the last, up to the uniform size. */
  private int[] ladder(int count) {
    List<Integer> sizes = new ArrayList<>();
    for (double size = 1; size <= (double) batch / count; size = Math.max(size + 1, size * 1.6)) {
      sizes.add((int) size);
    }
    return sizes.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Between the rungs of the ladder. */
  private Found refined(Found from, int fromFirst, int fromLast) {
    Found best = from;
    int count = from.sizes().size();
    int first = fromFirst;
    int last = fromLast;
    for (int by = Math.max(first, last) / 5; by > 0; by /= 2) {
      for (int[] change :
          new int[][] {{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 1}, {1, -1}, {1, 0}, {1, 1}}) {
        for (int level : new int[] {cap, cap / 2, cap / 3}) {
          int otherFirst = first + by * change[0];
          int otherLast = last + by * change[1];
          if (Math.min(otherFirst, otherLast) < 1) {
            continue;
          }
          Found found = ramps(count, otherFirst, otherLast, level);
          if (found.step() < best.step()) {
            best = found;
            first = otherFirst;
            last = otherLast;
          }
        }
      }
    }
    return best;
  }

  /** Endless if the ramps and a plateau of at most {@code level} do not make up the batch. */
  private Found ramps(int count, int first, int last, int level) {
    int[] most = new int[count];
    most[0] = first;
    for (int i = 1; i < count; i++) {
      most[i] = Math.min(level, next(forward, most[i - 1]));
    }
    most[count - 1] = Math.min(most[count - 1], last);
    for (int i = count - 2; i >= 0; i--) {
      most[i] = Math.min(most[i], next(backward, most[i + 1]));
    }
    int plateau = 0;
    for (int bit = Integer.highestOneBit(batch); bit > 0; bit /= 2) {
      if (sum(most, plateau + bit) <= batch) {
        plateau += bit;
      }
    }
    int missing = batch - sum(most, plateau);
    List<Integer> sizes = new ArrayList<>(count);
    for (int size : most) {
      boolean oneMore = missing > 0 && size > plateau;
      sizes.add(Math.min(size, plateau) + (oneMore ? 1 : 0));
      missing -= oneMore ? 1 : 0;
    }
    return missing > 0 || plateau == 0 ? new Found(sizes, Double.POSITIVE_INFINITY) : of(sizes);
  }

  private static int sum(int[] most, int level) {
    int sum = 0;
    for (int size : most) {
      sum += Math.min(size, level);
    }
    return sum;
  }

  /** The largest size whose {@code work} is done while the teachers have this one. */
  private int next(double[] work, int size) {
    int from = size;
    int to = batch;
    while (from < to) {
      int middle = (from + to + 1) / 2;
      if (work[middle] <= teacher[size] * (1 + GAIN)) {
        from = middle;
      } else {
        to = middle - 1;
      }
    }
    return from;
  }

  /** Moves samples as long as it helps and {@code budget} simulations are not used up. */
  Found climb(Found from, int budget) {
    int end = simulations + budget;
    Found best = from;
    int count = from.sizes().size();
    for (int moved = Math.max(1, batch / (4 * count)); moved > 0; moved /= 2) {
      boolean better = true;
      for (int pass = 0; better && pass < PASSES; pass++) {
        better = false;
        for (int i = 0; i < count; i++) {
          for (int j = 0; j < count; j++) {
            if (simulations >= end) {
              return best;
            }
            Found found = i == j ? best : moved(best, i, j, moved);
            if (found.step() < best.step() * (1 - GAIN)) {
              best = found;
              better = true;
            }
          }
        }
      }
    }
    return best;
  }

  private Found moved(Found found, int from, int to, int samples) {
    int less = found.sizes().get(from) - samples;
    int more = found.sizes().get(to) + samples;
    if (less < 1 || more > cap) {
      return found;
    }
    List<Integer> sizes = new ArrayList<>(found.sizes());
    sizes.set(from, less);
    sizes.set(to, more);
    return of(sizes);
  }

  /** Different ramps often come to the same sizes. */
  private Found of(List<Integer> sizes) {
    return known.computeIfAbsent(sizes, this::simulated);
  }

  private Found simulated(List<Integer> sizes) {
    simulations++;
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, sizes, cap, slowness.size());
    return new Found(sizes, Simulator.step(schedule, costs, slowness));
  }
}
