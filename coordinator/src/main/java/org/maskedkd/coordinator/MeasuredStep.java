package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.List;
import org.maskedkd.schedule.Idle;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.Span;
import org.maskedkd.schedule.Utilization;

/**
 * What the devices did in one committed step, on the coordinator's clock in seconds.
 *
 * @param teachers how many the pool has, at work or not
 * @param dataWait how much of it the student waited for its batch
 * @param clockError what times of different devices may be wrong by against each other
 */
record MeasuredStep(
    long step,
    Schedule schedule,
    int teachers,
    double start,
    double end,
    double dataWait,
    List<Span> spans,
    double clockError) {

  MeasuredStep {
    spans = List.copyOf(spans);
  }

  double seconds() {
    return end - start;
  }

  double secondsWithoutData() {
    return seconds() - dataWait;
  }

  Utilization utilization() {
    return Utilization.of(spans, teachers, start, end);
  }

  /** Busy and idle time of each device by cause, the student's first. */
  List<Idle> idle() {
    return Idle.of(spans, schedule, teachers, start, end);
  }

  /** The optimizer's time. */
  double optimizer() {
    return spans.stream()
        .filter(span -> span.operation() == Operation.OPTIMIZER)
        .mapToDouble(Span::duration)
        .sum();
  }

  /**
   * The least time from the end of one operation on a micro-batch to the start of the next, which
   * is the latency of what lies between, where the device that took it was idle.
   */
  double latency(Operation from, Operation to) {
    List<Double> times = new ArrayList<>();
    for (Span before : spans) {
      if (before.operation() == from) {
        spans.stream()
            .filter(after -> after.operation() == to && after.index() == before.index())
            .forEach(after -> times.add(after.start() - before.end()));
      }
    }
    return times.stream().mapToDouble(time -> Math.max(0, time)).min().orElse(0);
  }
}
