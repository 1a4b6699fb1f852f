package org.maskedkd.schedule;

import java.util.List;

/**
 * How a step goes by the clock.
 *
 * @param spans what each device did, the student's first, by start
 * @param peak most samples whose activations the student held at once
 */
public record Simulation(List<Span> spans, Utilization utilization, int peak) {

  public Simulation {
    spans = List.copyOf(spans);
  }

  /** From the first forward to the end of the optimizer's update. */
  public double step() {
    return utilization.step();
  }

  /** {@link Utilization#bubble}. */
  public double bubble() {
    return utilization.bubble();
  }

  /** {@link Utilization#imbalance}. */
  public double imbalance() {
    return utilization.imbalance();
  }
}
