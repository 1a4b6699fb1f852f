package org.maskedkd.schedule;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What each task of a step takes against computing alone, under {@link Interference}. A task that
 * runs beside the other side for {@code o} seconds gets only {@code o / factor} seconds of its work
 * done in them. How long it does so depends on how long all the others take, so the factors are
 * found by simulating again and again until they fit what comes out.
 */
final class Slowdown {

  /** Replays, if they do not settle before. */
  static final int MOST_ROUNDS = 12;

  /** Factors that change by less have settled. */
  static final double SETTLED = 1e-3;

  private final Interference interference;
  private final double[] forward;
  private final double[] backward;
  private final double[] teacher;

  /** Less than the whole way, since a task that shrinks may let another one grow. */
  private static final double STRIDE = 0.8;

  /** Nothing is slowed down yet. */
  Slowdown(Interference interference, int microBatches) {
    this.interference = interference;
    this.forward = ones(microBatches);
    this.backward = ones(microBatches);
    this.teacher = ones(microBatches);
  }

  private static double[] ones(int count) {
    double[] ones = new double[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** Of one task; the look-ahead of stale masks counts as undisturbed. */
  double of(Operation operation, int index) {
    double[] factors = factors(operation);
    return factors == null ? 1 : factors[index];
  }

  /**
   * Takes over what a replay with these factors came to.
   *
   * @return by how much a factor changed at most
   */
  double fit(List<Span> spans, double step) {
    List<double[]> student = Utilization.busyStretches(spans, Span.STUDENT, 0, step);
    List<double[]> teachers =
        Utilization.busyStretches(
            spans.stream()
                .filter(span -> span.device() != Span.STUDENT)
                .map(span -> new Span(1, span.operation(), span.index(), span.start(), span.end()))
                .toList(),
            1,
            0,
            step);
    double change = 0;
    for (Span span : spans) {
      double[] factors = factors(span.operation());
      double took = span.end() - span.start();
      if (factors == null || took == 0) {
        continue;
      }
      double old = factors[span.index()];
      double beside = overlap(span, span.device() == Span.STUDENT ? teachers : student) / took;
      double fitting = 1 / (1 - beside + beside / interference.of(span.operation()));
      double next = old + STRIDE * (fitting - old);
      change = Math.max(change, Math.abs(next - old));
      factors[span.index()] = next;
    }
    return change;
  }

  private double @Nullable [] factors(Operation operation) {
    return switch (operation) {
      case FORWARD -> forward;
      case BACKWARD -> backward;
      case TEACHER -> teacher;
      case OFFER, CHOOSE, LOOK_AHEAD, AWAIT, OPTIMIZER -> null;
    };
  }

  private static double overlap(Span span, List<double[]> stretches) {
    double sum = 0;
    for (double[] stretch : stretches) {
      sum += Math.max(0, Math.min(span.end(), stretch[1]) - Math.max(span.start(), stretch[0]));
    }
    return sum;
  }
}
