package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against closed forms, and small steps worked out by hand. */
class SimulatorTest {
  private static final int CASES = 1000;
  private static final List<Double> ONE = List.of(1.0);

  private static double uniform(Random random, double from, double to) {
    return from + (to - from) * random.nextDouble();
  }

  private static Simulation run(Order order, List<Integer> sizes, int window, Costs costs) {
    return Simulator.run(SchedulePlanner.plan(order, sizes, window, 1), costs, ONE);
  }

  @Test
  void run_randomUniformEagerSteps_takeWhatTheClosedFormSays() {
    long seed = 20260101;
    Random random = new Random(seed);
    for (int i = 0; i < CASES; i++) {
      int m = 1 + random.nextInt(24);
      double f = uniform(random, 0.01, 2);
      double t = uniform(random, 0.01, 4);
      double b = uniform(random, 0.01, 3);
      double c1 = uniform(random, 0, t);
      double c2 = uniform(random, 0, t - c1);
      double u = uniform(random, 0, 1);
      Costs costs = new Costs(n -> f, n -> t, n -> b, n -> c1, n -> c2, u);
      double step = run(Order.EAGER, SchedulePlanner.uniform(m, m), m, costs).step();
      assertThat(step)
          .as("case %d of seed %d", i, seed)
          .isCloseTo(ClosedForms.eagerUniform(m, f, t, b, c1, c2, u), within(1e-9));
    }
  }

  @Test
  void run_randomFillDrainSteps_takeWhatTheClosedFormSays() {
    long seed = 20260102;
    Random random = new Random(seed);
    for (int i = 0; i < CASES; i++) {
      int m = 1 + random.nextInt(24);
      double f = uniform(random, 0.1, 2);
      double t = uniform(random, 0.1, 8);
      double b = uniform(random, 0.1, 4);
      double step =
          run(Order.FILL_DRAIN, SchedulePlanner.uniform(m, m), m, Costs.ideal(m, f, t, b)).step();
      assertThat(step)
          .as("case %d of seed %d", i, seed)
          .isCloseTo(ClosedForms.fillDrain(m, f, t, b), within(1e-9));
    }
  }

  @Test
  void run_randomUnevenSteps_neverBeatTheLowerBound() {
    long seed = 20260103;
    Random random = new Random(seed);
    for (int i = 0; i < CASES; i++) {
      int m = 1 + random.nextInt(12);
      List<Integer> sizes = new ArrayList<>();
      for (int j = 0; j < m; j++) {
        sizes.add(1 + random.nextInt(20));
      }
      double c1 = uniform(random, 0, 1);
      double c2 = uniform(random, 0, 1);
      double u = uniform(random, 0, 1);
      Costs costs =
          new Costs(
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.2)),
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.4)),
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.3)),
              n -> c1,
              n -> c2,
              u);
      int batch = sizes.stream().mapToInt(Integer::intValue).sum();
      int window = Collections.max(sizes) + random.nextInt(batch);
      double bound =
          ClosedForms.lowerBound(
              sizes.stream().mapToDouble(n -> costs.forward().of(n)).toArray(),
              sizes.stream().mapToDouble(n -> costs.teacher().of(n)).toArray(),
              sizes.stream().mapToDouble(n -> costs.backward().of(n)).toArray(),
              c1,
              c2,
              u);
      Simulation eager = run(Order.EAGER, sizes, window, costs);
      Simulation strict = run(Order.FILL_DRAIN, sizes, batch, costs);
      assertThat(eager.step())
          .as("case %d of seed %d", i, seed)
          .isGreaterThanOrEqualTo(bound - 1e-9);
      assertThat(strict.step())
          .as("case %d of seed %d", i, seed)
          .isGreaterThanOrEqualTo(bound - 1e-9);
      assertThat(eager.peak()).isLessThanOrEqualTo(window);
      assertThat(strict.peak()).isEqualTo(batch);
    }
  }

  @Test
  void run_eagerOfTwo_hasTheSpansWorkedOutByHand() {
    Costs costs = new Costs(n -> 1, n -> 3, n -> 2, n -> 0.5, n -> 0.25, 0.125);
    Simulation simulation = run(Order.EAGER, List.of(1, 1), 2, costs);
    assertThat(simulation.spans())
        .containsExactly(
            new Span(0, Operation.FORWARD, 0, 0, 1),
            new Span(0, Operation.FORWARD, 1, 1, 2),
            new Span(0, Operation.BACKWARD, 0, 4.75, 6.75),
            new Span(0, Operation.BACKWARD, 1, 7.75, 9.75),
            new Span(0, Operation.OPTIMIZER, 0, 9.75, 9.875),
            new Span(1, Operation.TEACHER, 0, 1.5, 4.5),
            new Span(1, Operation.TEACHER, 1, 4.5, 7.5));
    assertThat(simulation.step()).isEqualTo(9.875);
    assertThat(simulation.utilization().busy()).containsExactly(6.125, 6.0);
    assertThat(simulation.bubble()).isCloseTo(1 - 6.125 / 9.875, within(1e-12));
    assertThat(simulation.imbalance()).isCloseTo(0.125 / 9.875, within(1e-12));
    assertThat(simulation.peak()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource({
    // F 1, T 4, B 2 in two halves; offered patches let the teacher begin at once.
    "sequential, 7",
    "concurrent-full, 5",
    "masked-whole, 7",
    "fill-drain, 6.5",
    "eager, 5.5"
  })
  void run_eachOrder_takesWhatIsWorkedOutByHand(String order, double step) {
    Simulation simulation = run(Order.of(order), List.of(4, 4), 8, Costs.ideal(8, 1, 4, 2));
    assertThat(simulation.step()).isCloseTo(step, within(1e-12));
  }

  @Test
  void run_offeredBehindABarrier_waitsForTheLastForward() {
    Schedule schedule =
        new Schedule(
            Order.CONCURRENT_FULL,
            List.of(1, 1),
            2,
            Action.parse("O0 O1 F0 F1 B0 B1"),
            Action.parse("T0 | T1"));
    Simulation simulation =
        Simulator.run(schedule, new Costs(n -> 5, n -> 1, n -> 1, Cost.NONE, Cost.NONE, 0), ONE);
    assertThat(simulation.spans())
        .contains(
            new Span(1, Operation.TEACHER, 0, 0, 1), new Span(1, Operation.TEACHER, 1, 10, 11));
  }

  @Test
  void run_noTeachers_hasAGradientWhenTheForwardIsDone() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(1, 1), 1, 0);
    Simulation simulation =
        Simulator.run(schedule, new Costs(n -> 1, n -> 9, n -> 2, n -> 9, n -> 9, 0.5), List.of());
    assertThat(simulation.step()).isEqualTo(6.5);
    assertThat(simulation.utilization().busy()).containsExactly(6.5);
  }

  @Test
  void run_twoTeachersOfDifferentSpeed_whoFinishesFirstTakesItAndHasItKeptForIt() {
    // 2 is through at 11 with the first and at 13 with the second; 3 and 4 are sooner through with
    // the second though they have to wait for its credit.
    Costs costs = new Costs(n -> 1, n -> 4, n -> 1, Cost.NONE, Cost.NONE, 0);
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(1, 1, 1, 1, 1), 5, 2);
    Simulation simulation = Simulator.run(schedule, costs, List.of(2.0, 1.0));
    assertThat(simulation.spans())
        .contains(
            new Span(1, Operation.TEACHER, 2, 3, 11),
            new Span(2, Operation.TEACHER, 0, 1, 5),
            new Span(2, Operation.TEACHER, 1, 5, 9),
            new Span(2, Operation.TEACHER, 3, 9, 13),
            new Span(2, Operation.TEACHER, 4, 13, 17));
  }

  @Test
  void run_idleTeacherMuchSlower_takesOneWhenTheQueueIsLong() {
    // At 4 the fast one would be through with 2 and 3 at 17, the slow one with 2 at 19: they wait.
    // At 5 it would be through with 3 and 4 at 21, the slow one with 3 at 20.
    Costs costs = new Costs(n -> 1, n -> 4, n -> 1, Cost.NONE, Cost.NONE, 0);
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(1, 1, 1, 1, 1), 5, 2);
    Simulation simulation = Simulator.run(schedule, costs, List.of(3.75, 1.0));
    assertThat(simulation.spans())
        .contains(
            new Span(1, Operation.TEACHER, 3, 5, 20),
            new Span(2, Operation.TEACHER, 0, 1, 5),
            new Span(2, Operation.TEACHER, 1, 5, 9),
            new Span(2, Operation.TEACHER, 2, 9, 13),
            new Span(2, Operation.TEACHER, 4, 13, 17));
  }

  @ParameterizedTest
  @CsvSource({
    "2, 1.5", "2, 2", "2, 4", "4, 1.5", "4, 2", "4, 4",
  })
  void run_oneSlowTeacher_staysWithinATenthOfTheLoadBound(int teachers, double slow) {
    int m = 16;
    for (int window : new int[] {8, 16}) {
      for (int which = 0; which < teachers; which++) {
        List<Double> slowness = new ArrayList<>(Collections.nCopies(teachers, 1.0));
        slowness.set(which, slow);
        double step =
            Simulator.run(
                    SchedulePlanner.plan(
                        Order.EAGER, SchedulePlanner.uniform(m, m), window, teachers),
                    Costs.ideal(m, 1, 8, 2),
                    slowness)
                .step();
        double bound = Math.max(1 + 2, 8 / (teachers - 1 + 1 / slow));
        assertThat(step)
            .as("%s, window %d", slowness, window)
            .isBetween(bound * (1 - 1e-9), 1.1 * bound);
      }
    }
  }

  @Test
  void run_randomTeachersOfDifferentSpeed_neverBeatTheLoadAndLeaveNothingUndone() {
    long seed = 20260104;
    Random random = new Random(seed);
    for (int i = 0; i < CASES; i++) {
      int m = 1 + random.nextInt(20);
      List<Integer> sizes = new ArrayList<>();
      for (int j = 0; j < m; j++) {
        sizes.add(1 + random.nextInt(20));
      }
      List<Double> slowness = new ArrayList<>();
      double speed = 0;
      int teachers = 1 + random.nextInt(4);
      for (int k = 0; k < teachers; k++) {
        slowness.add(Math.exp(uniform(random, -3, 3)));
        speed += 1 / slowness.get(k);
      }
      double c1 = uniform(random, 0, 1);
      double c2 = uniform(random, 0, 1);
      Costs costs =
          new Costs(
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.2)),
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.4)),
              Cost.linear(uniform(random, 0, 0.1), uniform(random, 0, 0.3)),
              n -> c1,
              n -> c2,
              0);
      int batch = sizes.stream().mapToInt(Integer::intValue).sum();
      int window = Collections.max(sizes) + random.nextInt(batch);
      Simulation simulation =
          Simulator.run(
              SchedulePlanner.plan(Order.EAGER, sizes, window, teachers), costs, slowness);
      double student = 0;
      double work = 0;
      for (int n : sizes) {
        student += costs.forward().of(n) + costs.backward().of(n);
        work += costs.teacher().of(n);
      }
      double supervised = costs.forward().of(sizes.get(0)) + c1 + work / speed + c2;
      assertThat(simulation.step())
          .as("case %d of seed %d", i, seed)
          .isGreaterThanOrEqualTo(Math.max(student, supervised) - 1e-9);
      assertThat(simulation.spans()).as("case %d of seed %d", i, seed).hasSize(3 * m + 1);
    }
  }

  @Test
  void run_wayLongerThanATeachersForward_isBoundByTheCreditOfTwo() {
    // 2 goes out when the answer to 0 is there: 1 + 3 + 1 + 3 = 8, not 1 + 3 + 2 = 6.
    Costs costs = new Costs(n -> 0.25, n -> 1, n -> 1, n -> 3, n -> 3, 0);
    Simulation simulation = run(Order.EAGER, List.of(1, 1, 1), 3, costs);
    assertThat(simulation.spans())
        .contains(
            new Span(1, Operation.TEACHER, 0, 3.25, 4.25),
            new Span(1, Operation.TEACHER, 1, 4.25, 5.25),
            new Span(1, Operation.TEACHER, 2, 10.25, 11.25));
  }

  @Test
  void run_impossibleNumbers_areNamed() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(2), 2, 1);
    Costs costs = Costs.ideal(2, 1, 4, 2);
    assertThatThrownBy(() -> Simulator.run(schedule, costs, List.of(0.0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[0.0]");
    assertThatThrownBy(() -> Simulator.run(schedule, Costs.ideal(2, 1, -4, 2), ONE))
        .hasMessage("the cost of teacher for 2 samples must be a number from 0 on, found -4.0");
  }
}
