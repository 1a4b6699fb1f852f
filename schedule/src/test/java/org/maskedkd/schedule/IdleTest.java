package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class IdleTest {

  private static final List<Double> ONE = List.of(1.0);

  private static List<Idle> idle(Schedule schedule, Costs costs, List<Double> slowness) {
    Simulation simulation = Simulator.run(schedule, costs, slowness);
    return Idle.of(simulation.spans(), schedule, slowness.size(), 0, simulation.step());
  }

  private static void assertIdle(
      Idle idle, double fill, double starved, double drain, double window, double transfer) {
    Map<IdleCause, Double> expected =
        Map.of(
            IdleCause.FILL, fill,
            IdleCause.STARVED, starved,
            IdleCause.DRAIN, drain,
            IdleCause.WINDOW, window,
            IdleCause.TRANSFER, transfer);
    expected.forEach(
        (cause, time) ->
            assertThat(idle.of(cause)).as("%s of %s", cause, idle).isCloseTo(time, within(1e-9)));
  }

  @Test
  void of_eagerWithTransfers_isSplitAsByHand() {
    // F0 0-1, F1 1-2, T0 1.5-4.5, T1 4.5-7.5, B0 4.75-6.75, B1 7.75-9.75, U 9.75-9.875.
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, n -> 0.5, n -> 0.25, 0.125);
    List<Idle> idle = idle(SchedulePlanner.plan(Order.EAGER, List.of(1, 1), 2, 1), costs, ONE);
    assertIdle(idle.get(0), 0, 2.5 + 0.75, 0, 0, 0.25 + 0.25);
    assertIdle(idle.get(1), 1, 0, 2.375, 0, 0.5);
  }

  @Test
  void of_windowOfOne_blamesTheWindow() {
    // F0 0-1, T0 1-4, B0 4-6, F1 6-7, T1 7-10, B1 10-12.
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, Cost.NONE, Cost.NONE, 0);
    List<Idle> idle = idle(SchedulePlanner.plan(Order.EAGER, List.of(1, 1), 1, 1), costs, ONE);
    assertIdle(idle.get(0), 0, 3, 0, 3, 0);
    // From 6 on the next forward runs; before it, it did not fit.
    assertIdle(idle.get(1), 1, 1, 2, 2, 0);
  }

  @Test
  void of_sequentialWithRoom_blamesTheOrderNotTheWindow() {
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, Cost.NONE, Cost.NONE, 0);
    List<Idle> idle = idle(SchedulePlanner.plan(Order.SEQUENTIAL, List.of(1, 1), 2, 1), costs, ONE);
    assertIdle(idle.get(0), 0, 6, 0, 0, 0);
    assertIdle(idle.get(1), 1, 3, 2, 0, 0);
  }

  @Test
  void of_maskedWhole_fillsUntilTheLastForward() {
    // F 0-2, T0 2.5-5.5, T1 5.5-8.5, barrier until 8.75, B 8.75-12.75.
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, n -> 0.5, n -> 0.25, 0);
    List<Idle> idle =
        idle(SchedulePlanner.plan(Order.MASKED_WHOLE, List.of(1, 1), 2, 1), costs, ONE);
    assertIdle(idle.get(0), 0, 6, 0, 0, 0.5 + 0.25);
    assertIdle(idle.get(1), 2, 0, 4.25, 0, 0.5);
  }

  @Test
  void of_offers_leaveTheTeacherOnlyTheTransfer() {
    // T0 0.5-3.5, T1 3.5-6.5, F 0-2, B0 3.75-5.75, B1 6.75-8.75.
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, n -> 0.5, n -> 0.25, 0);
    List<Idle> idle =
        idle(SchedulePlanner.plan(Order.CONCURRENT_FULL, List.of(1, 1), 2, 1), costs, ONE);
    assertIdle(idle.get(0), 0, 1.5 + 0.75, 0, 0, 0.5);
    assertIdle(idle.get(1), 0, 0, 2.25, 0, 0.5);
  }

  @Test
  void of_teacherThatGotNothing_isStarvedWhileTheOthersWork() {
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, Cost.NONE, Cost.NONE, 0);
    List<Idle> idle =
        idle(SchedulePlanner.plan(Order.EAGER, List.of(2), 2, 2), costs, List.of(1.0, 1.0));
    assertIdle(idle.get(2), 1, 3, 2, 0, 0);
  }

  @Test
  void of_measuredSpans_toleratesClocksThatDisagreeALittle() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(1, 1), 2, 1);
    List<Span> spans =
        List.of(
            new Span(0, Operation.FORWARD, 0, 100.1, 101),
            new Span(0, Operation.FORWARD, 1, 100.999, 102),
            new Span(1, Operation.TEACHER, 0, 100.999, 104),
            new Span(1, Operation.TEACHER, 1, 103.998, 107),
            new Span(0, Operation.BACKWARD, 0, 103.999, 106),
            new Span(0, Operation.BACKWARD, 1, 107, 109),
            new Span(0, Operation.OPTIMIZER, 0, 109, 109.6));
    List<Idle> idle = Idle.of(spans, schedule, 1, 100, 109.5);
    assertThat(idle.get(0).busy()).isCloseTo(1.9 + 2.001 + 2 + 0.5, within(1e-9));
    assertIdle(idle.get(0), 0.1, 1.998 + 0.001 + 1, 0, 0, 0);
    assertThat(idle.get(1).busy()).isCloseTo(6.001, within(1e-9));
    assertIdle(idle.get(1), 0.999, 0, 2.5, 0, 0);
  }

  @Test
  void of_randomSteps_addsUpToTheStep() {
    long seed = 20260104;
    Random random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      Order order = Order.values()[random.nextInt(Order.values().length)];
      List<Integer> sizes = new ArrayList<>();
      for (int m = random.nextInt(8); m >= 0; m--) {
        sizes.add(1 + random.nextInt(9));
      }
      int window = SchedulePlanner.leastWindow(order, sizes) + random.nextInt(20);
      List<Double> slowness = new ArrayList<>(Collections.nCopies(random.nextInt(4), 1.0));
      slowness.replaceAll(one -> one + random.nextDouble());
      Costs costs =
          new Costs(
              Cost.linear(random.nextDouble(), random.nextDouble()),
              Cost.linear(random.nextDouble(), 3 * random.nextDouble()),
              Cost.linear(random.nextDouble(), 2 * random.nextDouble()),
              Cost.linear(random.nextDouble(), 0),
              Cost.linear(random.nextDouble(), 0),
              random.nextDouble());
      Schedule schedule = SchedulePlanner.plan(order, sizes, window, slowness.size());
      Simulation simulation = Simulator.run(schedule, costs, slowness);
      // A shift must change nothing.
      List<Span> shifted =
          simulation.spans().stream()
              .map(s -> new Span(s.device(), s.operation(), s.index(), s.start() + 7, s.end() + 7))
              .toList();
      List<Idle> idle = Idle.of(shifted, schedule, slowness.size(), 7, simulation.step() + 7);
      for (int device = 0; device <= slowness.size(); device++) {
        assertThat(idle.get(device).busy() + idle.get(device).total())
            .as("case %d of seed %d", i, seed)
            .isCloseTo(simulation.step(), within(1e-9));
        assertThat(idle.get(device).busy())
            .isCloseTo(simulation.utilization().busy().get(device), within(1e-9));
      }
    }
  }
}
