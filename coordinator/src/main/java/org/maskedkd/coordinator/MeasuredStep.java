package org.maskedkd.coordinator;

import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.maskedkd.schedule.Action;
import org.maskedkd.schedule.Idle;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.Span;
import org.maskedkd.schedule.Utilization;

/**
 * What the devices did in one committed step, on the coordinator's clock in seconds.
 *
 * @param teachers how many places the pool has
 * @param vacant devices of places that nobody had in this step
 * @param dataWait how much of it the student waited for its batch
 * @param clockError what times of different devices may be wrong by against each other
 */
record MeasuredStep(
    long step,
    Schedule schedule,
    int teachers,
    Set<Integer> vacant,
    double start,
    double end,
    double dataWait,
    List<Span> spans,
    double clockError) {

  MeasuredStep {
    spans = List.copyOf(spans);
    vacant = Set.copyOf(vacant);
  }

  /** The same step with more spans. */
  MeasuredStep with(List<Span> more) {
    return new MeasuredStep(
        step,
        schedule,
        teachers,
        vacant,
        start,
        end,
        dataWait,
        Stream.concat(spans.stream(), more.stream()).toList(),
        clockError);
  }

  double seconds() {
    return end - start;
  }

  double secondsWithoutData() {
    return seconds() - dataWait;
  }

  Utilization utilization() {
    List<Double> busy = Utilization.of(spans, teachers, start, end).busy();
    return new Utilization(
        seconds(),
        IntStream.range(0, busy.size())
            .filter(device -> !vacant.contains(device))
            .mapToObj(busy::get)
            .toList());
  }

  /** Busy and idle time of each device by cause, the student's first. */
  List<Idle> idle() {
    return Idle.of(spans, schedule, teachers, start, end).stream()
        .filter(idle -> !vacant.contains(idle.device()))
        .toList();
  }

  /** The optimizer's time. */
  double optimizer() {
    return spans.stream()
        .filter(span -> span.operation() == Operation.OPTIMIZER)
        .mapToDouble(Span::duration)
        .sum();
  }

  /**
   * The least time that patches took to a teacher: from the moment a micro-batch could have been
   * taken until it was.
   */
  double indicesLatency() {
    boolean barrier = schedule.teachersWait();
    return latency(Operation.FORWARD, Operation.TEACHER, barrier);
  }

  /** The same for a gradient on its way to the student. */
  double signalsLatency() {
    boolean barrier = schedule.student().contains(Action.BARRIER);
    return latency(Operation.TEACHER, Operation.BACKWARD, barrier);
  }

  /**
   * Only where the device that took it was idle does the time before a start show what lies
   * between; where none was, 0 is as good as any number.
   *
   * @param barrier whether nothing starts before all of {@code from} are over
   */
  private double latency(Operation from, Operation to, boolean barrier) {
    double last = end(spans.stream().filter(span -> span.operation() == from));
    double least = Double.POSITIVE_INFINITY;
    for (Span after : spans) {
      // What the step before handed over did not wait for its forward.
      boolean stale = from == Operation.FORWARD && after.index() < schedule.stale();
      if (after.operation() != to || stale) {
        continue;
      }
      double released =
          barrier
              ? last
              : end(
                  spans.stream()
                      .filter(span -> span.operation() == from && span.index() == after.index()));
      double free =
          end(
              spans.stream()
                  .filter(span -> span.device() == after.device() && span.start() < after.start()));
      if (released >= free) {
        least = Math.min(least, Math.max(0, after.start() - released));
      }
    }
    return Double.isInfinite(least) ? 0 : least;
  }

  private static double end(Stream<Span> spans) {
    return spans.mapToDouble(Span::end).max().orElse(Double.NEGATIVE_INFINITY);
  }
}
