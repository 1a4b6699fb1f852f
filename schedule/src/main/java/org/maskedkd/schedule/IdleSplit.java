package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the causes of idle time. Nothing changes between two neighbouring starts and ends of spans,
 * so every gap is cut there and each piece is judged by its middle.
 */
final class IdleSplit {

  private final List<Span> spans;
  private final Schedule schedule;
  private final double start;
  private final double end;
  private final double[] changes;
  private final double[] released;
  private final boolean[] awaitsAll;

  IdleSplit(List<Span> spans, Schedule schedule, double start, double end) {
    this.spans = spans;
    this.schedule = schedule;
    this.start = start;
    this.end = end;
    this.changes =
        spans.stream()
            .flatMapToDouble(span -> Arrays.stream(new double[] {span.start(), span.end()}))
            .filter(time -> time > start && time < end)
            .sorted()
            .distinct()
            .toArray();
    this.released = released();
    this.awaitsAll = awaitsAll();
  }

  /**
   * When each micro-batch was handed over to the teachers; an offer is made as the step begins, and
   * what the step before looked ahead at was there by then.
   */
  private double[] released() {
    double[] times = new double[schedule.sizes().size()];
    Arrays.fill(times, start);
    double last = start;
    for (Span span : spans) {
      if (span.operation() == Operation.FORWARD) {
        last = Math.max(last, span.end());
        if (!schedule.offers() && span.index() >= schedule.stale()) {
          times[span.index()] = span.end();
        }
      }
    }
    boolean barrier = false;
    for (Action action : schedule.teachers()) {
      barrier |= action.operation() == Operation.AWAIT;
      if (barrier && action.operation() == Operation.TEACHER) {
        times[action.index()] = last;
      }
    }
    return times;
  }

  /** Per micro-batch whether its backward comes straight after the barrier. */
  private boolean[] awaitsAll() {
    boolean[] all = new boolean[schedule.sizes().size()];
    boolean barrier = false;
    for (Action action : schedule.student()) {
      if (action.operation() == Operation.BACKWARD) {
        all[action.index()] = barrier;
        barrier = false;
      } else if (action.operation() == Operation.AWAIT) {
        barrier = true;
      }
    }
    return all;
  }

  List<Idle> devices(int teachers) {
    List<Idle> devices = new ArrayList<>();
    for (int device = 0; device <= teachers; device++) {
      devices.add(device(device));
    }
    return devices;
  }

  private Idle device(int device) {
    EnumMap<IdleCause, Double> idle = new EnumMap<>(IdleCause.class);
    double busy = 0;
    double free = start;
    for (double[] stretch : Utilization.busyStretches(spans, device, start, end)) {
      busy += stretch[1] - stretch[0];
      gap(device, free, stretch[0], idle);
      free = stretch[1];
    }
    gap(device, free, end, idle);
    return Idle.of(device, busy, idle);
  }

  private void gap(int device, double from, double to, EnumMap<IdleCause, Double> idle) {
    double at = from;
    for (double change : changes) {
      if (change > at && change < to) {
        piece(device, at, change, idle);
        at = change;
      }
    }
    if (to > at) {
      piece(device, at, to, idle);
    }
  }

  private void piece(int device, double from, double to, EnumMap<IdleCause, Double> idle) {
    double middle = from + (to - from) / 2;
    idle.merge(
        device == Span.STUDENT ? student(middle) : teacher(device, middle), to - from, Double::sum);
  }

  private IdleCause teacher(int device, double time) {
    Span next = next(device, time);
    if (next == null) {
      return any(device) ? IdleCause.DRAIN : unused(time);
    }
    if (next.operation() == Operation.LOOK_AHEAD) {
      return time > lookedAhead(next.index()) ? IdleCause.TRANSFER : IdleCause.DRAIN;
    }
    if (time > released[next.index()]) {
      return IdleCause.TRANSFER;
    }
    if (first(device, next)) {
      return IdleCause.FILL;
    }
    return windowIsFull(time) ? IdleCause.WINDOW : IdleCause.STARVED;
  }

  /** When the next step's micro-batch was handed over. */
  private double lookedAhead(int index) {
    return spans.stream()
        .filter(span -> span.device() == Span.STUDENT)
        .filter(span -> span.operation() == Operation.LOOK_AHEAD && span.index() == index)
        .mapToDouble(Span::end)
        .findFirst()
        .orElse(end);
  }

  /** For a teacher that got nothing: the others had enough for all the step. */
  private IdleCause unused(double time) {
    if (time < Arrays.stream(released).min().orElse(end)) {
      return IdleCause.FILL;
    }
    return working(time) || awaited(time, Operation.TEACHER) ? IdleCause.STARVED : IdleCause.DRAIN;
  }

  private IdleCause student(double time) {
    Span next = next(Span.STUDENT, time);
    if (next == null || next.operation() == Operation.OPTIMIZER) {
      return IdleCause.DRAIN;
    }
    if (next.operation() == Operation.LOOK_AHEAD) {
      return IdleCause.STARVED;
    }
    if (next.operation() == Operation.FORWARD || next.operation() == Operation.CHOOSE) {
      return first(Span.STUDENT, next) ? IdleCause.FILL : IdleCause.STARVED;
    }
    if (computed(next.index(), time) || !working(time)) {
      return IdleCause.TRANSFER;
    }
    return windowIsFull(time) ? IdleCause.WINDOW : IdleCause.STARVED;
  }

  /** What the device does next. */
  private @Nullable Span next(int device, double time) {
    Span next = null;
    for (Span span : spans) {
      if (span.device() == device
          && span.start() > time
          && (next == null || span.start() < next.start())) {
        next = span;
      }
    }
    return next;
  }

  private boolean any(int device) {
    return spans.stream().anyMatch(span -> span.device() == device);
  }

  private boolean first(int device, Span of) {
    return spans.stream().noneMatch(span -> span.device() == device && span.start() < of.start());
  }

  private boolean working(double time) {
    return spans.stream()
        .anyMatch(
            span ->
                span.operation() == Operation.TEACHER && span.start() < time && span.end() > time);
  }

  private boolean awaited(double time, Operation operation) {
    return spans.stream().anyMatch(span -> span.operation() == operation && span.start() > time);
  }

  /** Whether no teacher has still to do what this backward waits for. */
  private boolean computed(int index, double time) {
    return spans.stream()
        .noneMatch(
            span ->
                span.operation() == Operation.TEACHER
                    && (awaitsAll[index] || span.index() == index)
                    && span.end() > time);
  }

  /** Whether the next forward, if there is one, has to wait for a backward to make room. */
  private boolean windowIsFull(double time) {
    int held = 0;
    Span next = null;
    for (Span span : spans) {
      if (span.operation() == Operation.BACKWARD && span.end() < time) {
        held -= schedule.sizes().get(span.index());
      } else if (span.operation() == Operation.FORWARD && span.start() < time) {
        held += schedule.sizes().get(span.index());
      } else if (span.operation() == Operation.FORWARD
          && (next == null || span.start() < next.start())) {
        next = span;
      }
    }
    return next != null && held + schedule.sizes().get(next.index()) > schedule.window();
  }
}
