package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Chooses the sizes of the micro-batches by simulation: for every number of micro-batches the best
 * ramp, plateau and ramp and the uniform sizes; the most promising are improved sample by sample.
 * Of those that take as long but for a thousandth the one with the fewest micro-batches wins, the
 * uniform one before the uneven. The same input gives the same sizes; a batch of 1024 takes some
 * tenths of a second.
 */
public final class Tuner {

  /** Most micro-batches unless the caller says otherwise. */
  public static final int MOST_MICRO_BATCHES = 32;

  private static final double TIE = 0.001;

  /** How many numbers of micro-batches are improved, and with how many simulations each. */
  private static final int IMPROVED = 6;

  private static final int SIMULATIONS = 3000;

  private Tuner() {}

  /** With at most {@link #MOST_MICRO_BATCHES}. */
  public static Tuning choose(Costs costs, int batch, int memoryCap, List<Double> slowness) {
    return choose(costs, batch, memoryCap, slowness, MOST_MICRO_BATCHES);
  }

  /**
   * The best eager schedule that was found.
   *
   * @param costs asked for 1 to {@code batch} samples; must not fall with more of them
   * @param memoryCap most samples whose activations the student may hold; more than {@code batch}
   *     counts as {@code batch}
   * @param slowness per teacher, as for {@link Simulator#run}; empty without any
   * @param mostMicroBatches into how many the batch may be cut
   * @throws IllegalArgumentException naming the numbers, if no cut fits the cap
   */
  public static Tuning choose(
      Costs costs, int batch, int memoryCap, List<Double> slowness, int mostMicroBatches) {
    if (batch < 1 || memoryCap < 1) {
      throw new IllegalArgumentException(
          "batch and memory must be at least 1 sample, found %d and %d"
              .formatted(batch, memoryCap));
    }
    int cap = Math.min(memoryCap, batch);
    int fewest = (batch + cap - 1) / cap;
    int most = Math.min(mostMicroBatches, batch);
    if (most < fewest) {
      throw new IllegalArgumentException(
          "a batch of %d in at most %d micro-batches has one larger than the %d samples that may be held; allow %d micro-batches or more memory"
              .formatted(batch, most, cap, fewest));
    }
    SizeSearch search = new SizeSearch(costs, batch, cap, slowness);
    List<SizeSearch.Found> uniform = new ArrayList<>();
    List<SizeSearch.Found> uneven = new ArrayList<>();
    for (int count = fewest; count <= most; count++) {
      uniform.add(search.uniform(count));
      uneven.add(search.start(count));
    }
    uneven.sort(Comparator.comparingDouble(SizeSearch.Found::step));
    uneven
        .subList(0, Math.min(IMPROVED, uneven.size()))
        .replaceAll(found -> search.climb(found, SIMULATIONS));
    List<SizeSearch.Found> all = new ArrayList<>(uniform);
    all.addAll(uneven);
    Schedule chosen = plan(fewestOfTheBest(all), cap, slowness);
    Schedule even = plan(fewestOfTheBest(uniform), cap, slowness);
    return new Tuning(
        chosen,
        Simulator.run(chosen, costs, slowness),
        even,
        Simulator.run(even, costs, slowness),
        costs.bound(batch, slowness),
        notes(batch, cap, most, slowness));
  }

  private static Schedule plan(SizeSearch.Found found, int window, List<Double> slowness) {
    return SchedulePlanner.plan(Order.EAGER, found.sizes(), window, slowness.size());
  }

  /** Of equal numbers of micro-batches the first in the list. */
  private static SizeSearch.Found fewestOfTheBest(List<SizeSearch.Found> all) {
    double best = all.stream().mapToDouble(SizeSearch.Found::step).min().orElseThrow();
    return all.stream()
        .filter(found -> found.step() <= best * (1 + TIE))
        .min(Comparator.comparingInt(found -> found.sizes().size()))
        .orElseThrow();
  }

  private static List<String> notes(int batch, int cap, int most, List<Double> slowness) {
    int needed = 2 * ((batch + cap - 1) / cap);
    if (slowness.isEmpty() || most >= Math.min(needed, batch) || cap == batch) {
      return List.of();
    }
    return List.of(
        "A batch of %d in at most %d micro-batches does not fit a memory of %d samples well: the student cannot hold two at once and so cannot run ahead of the teachers. Allow %d micro-batches or %d samples."
            .formatted(batch, most, cap, needed, Math.min(batch, 2 * ((batch + most - 1) / most))));
  }
}
