package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * How busy the devices were in one step.
 *
 * @param step how long it took
 * @param busy busy time per device: the student, then each teacher
 */
public record Utilization(double step, List<Double> busy) {

  public Utilization {
    busy = List.copyOf(busy);
  }

  /**
   * From the spans of a step, simulated or measured. What lies outside of the step does not count,
   * and what overlaps on one device, as clocks may have it, counts once.
   *
   * @param teachers how many there are, whether or not they did anything
   */
  public static Utilization of(List<Span> spans, int teachers, double start, double end) {
    List<Double> busy = new ArrayList<>();
    for (int device = 0; device <= teachers; device++) {
      double sum = 0;
      for (double[] stretch : busyStretches(spans, device, start, end)) {
        sum += stretch[1] - stretch[0];
      }
      busy.add(sum);
    }
    return new Utilization(end - start, busy);
  }

  /** Start and end of each stretch of work on a device, in order, disjoint, inside the step. */
  static List<double[]> busyStretches(List<Span> spans, int device, double start, double end) {
    List<Span> own =
        spans.stream()
            .filter(span -> span.device() == device)
            .sorted(Comparator.comparingDouble(Span::start))
            .toList();
    List<double[]> stretches = new ArrayList<>();
    double covered = start;
    for (Span span : own) {
      double from = Math.max(span.start(), covered);
      double to = Math.min(span.end(), end);
      if (to > from) {
        stretches.add(new double[] {from, to});
        covered = to;
      }
    }
    return stretches;
  }

  /** Busy time of the student. */
  public double student() {
    return busy.get(Span.STUDENT);
  }

  /** Mean busy time of the teachers; 0 without any. */
  public double teachers() {
    return busy.stream().skip(1).mapToDouble(Double::doubleValue).average().orElse(0);
  }

  /** Share of the step that the busier side, student or teachers, was idle. */
  public double bubble() {
    return 1 - Math.max(student(), teachers()) / step;
  }

  /** Share of the step that the less busy side would be idle even without a bubble. */
  public double imbalance() {
    return Math.abs(student() - teachers()) / step;
  }
}
