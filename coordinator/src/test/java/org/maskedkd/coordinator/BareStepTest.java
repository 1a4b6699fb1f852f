package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.Operation;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.Simulator;
import org.maskedkd.schedule.Span;

class BareStepTest {
  /**
   * On the clock every task takes twice its processor time, and there is something between them.
   */
  private static final Costs SEEN =
      new Costs(
          Cost.linear(0.5, 2),
          Cost.linear(1, 8),
          Cost.linear(0.25, 4),
          samples -> 0.5,
          samples -> 0.75,
          1);

  private static final Costs BARE =
      new Costs(
          Cost.linear(0.25, 1),
          Cost.linear(0.5, 4),
          Cost.linear(0.125, 2),
          Cost.NONE,
          Cost.NONE,
          0.5);

  @ParameterizedTest
  @EnumSource
  void seconds_tasksOfHalfTheirTime_isTheStepOfTheseAlone(Order order) {
    Schedule schedule = SchedulePlanner.plan(order, List.of(2, 4, 6, 4), 16, 1);

    Double seconds = BareStep.seconds(step(schedule, span -> span.duration() / 2));

    double expected = Simulator.run(schedule, BARE, List.of(1.0)).step();
    assertThat(seconds).isCloseTo(expected, within(1e-9));
  }

  @Test
  void seconds_equalSizesOfUnequalTasks_takesTheirMean() {
    Schedule schedule = SchedulePlanner.plan(Order.SEQUENTIAL, List.of(4, 4), 8, 1);

    Double seconds =
        BareStep.seconds(
            step(schedule, span -> span.operation().hasIndex() ? 1 + span.index() : 0));

    assertThat(seconds).isCloseTo(3 * 3.0, within(1e-9));
  }

  @Test
  void seconds_taskOfUnknownProcessorTime_isUnknown() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(4, 4), 8, 1);

    assertThat(BareStep.seconds(step(schedule, span -> span.index() == 1 ? Double.NaN : 1)))
        .isNull();
  }

  @Test
  void seconds_forwardsThatChooseFirst_countBoth() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(2, 4, 6, 4), 16, 1);
    MeasuredStep whole = step(schedule, span -> span.duration() / 2);
    List<Span> split =
        whole.spans().stream()
            .flatMap(
                span ->
                    span.operation() == Operation.FORWARD
                        ? Stream.of(part(span, Operation.CHOOSE), part(span, Operation.FORWARD))
                        : Stream.of(span))
            .toList();

    assertThat(
            BareStep.seconds(
                new MeasuredStep(1, schedule, 1, Set.of(), 0, whole.end(), 0, split, 0)))
        .isEqualTo(BareStep.seconds(whole));
  }

  /** Half of its processor time. */
  private static Span part(Span span, Operation operation) {
    return new Span(
        span.device(), operation, span.index(), span.start(), span.end(), span.cpu() / 2);
  }

  private static MeasuredStep step(Schedule schedule, ToDoubleFunction<Span> cpu) {
    Simulation seen = Simulator.run(schedule, SEEN, List.of(1.0));
    List<Span> spans =
        seen.spans().stream()
            .map(
                span ->
                    new Span(
                        span.device(),
                        span.operation(),
                        span.index(),
                        span.start(),
                        span.end(),
                        cpu.applyAsDouble(span)))
            .toList();
    return new MeasuredStep(1, schedule, 1, Set.of(), 0, seen.step(), 0, spans, 0);
  }
}
