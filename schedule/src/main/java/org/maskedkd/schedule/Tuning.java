package org.maskedkd.schedule;

import java.util.List;

/**
 * The schedule that the {@link Tuner} chose and what to expect of it.
 *
 * @param schedule eager, with the window that was allowed
 * @param prediction the step of {@code schedule}
 * @param uniform the best eager schedule with micro-batches of equal size, for comparison
 * @param bound what no schedule can beat, see {@link Costs#bound}
 * @param notes sentences for a person, such as that the batch cannot be cut finely enough for the
 *     window; often empty
 */
public record Tuning(
    Schedule schedule,
    Simulation prediction,
    Schedule uniform,
    Simulation uniformPrediction,
    double bound,
    List<String> notes) {

  public Tuning {
    notes = List.copyOf(notes);
  }
}
