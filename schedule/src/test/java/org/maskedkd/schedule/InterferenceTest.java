package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Devices that slow each other: by hand, and against a clock that ticks. */
class InterferenceTest {
  private static final List<Double> ONE = List.of(1.0);

  private static Costs costs(int batch, double f, double t, double b, Interference interference) {
    Costs alone = Costs.ideal(batch, f, t, b);
    return new Costs(
        alone.forward(),
        alone.teacher(),
        alone.backward(),
        alone.indices(),
        alone.signals(),
        0,
        interference);
  }

  @Test
  void run_oneDeviceAtATime_feelsNothing() {
    Schedule schedule = SchedulePlanner.plan(Order.SEQUENTIAL, List.of(2, 2), 4, 1);
    Costs costs = costs(4, 1, 4, 2, new Interference(2, 2, 3));
    assertThat(Simulator.run(schedule, costs, ONE).step()).isCloseTo(7, within(1e-9));
  }

  @Test
  void run_bothAtOnce_eachLosesWhatTheOverlapCosts() {
    Schedule schedule = SchedulePlanner.plan(Order.CONCURRENT_FULL, List.of(4), 4, 1);
    Costs costs = costs(4, 1, 4, 2, new Interference(2, 5, 1.5));
    Simulation simulation = Simulator.run(schedule, costs, ONE);
    // The forward takes 2 beside the teacher, who has 4 - 2/1.5 left to do by then, alone, as the
    // backward is that follows.
    assertThat(simulation.step()).isCloseTo(2 + (4 - 2 / 1.5) + 2, within(0.01));
    assertThat(simulation.utilization().student()).isCloseTo(2 + 2, within(0.01));
  }

  @Test
  void run_randomEagerSteps_takeAsLongAsOnATickingClock() {
    long seed = 20260140;
    Random random = new Random(seed);
    for (int i = 0; i < 100; i++) {
      int[] sizes = new int[1 + random.nextInt(6)];
      Arrays.setAll(sizes, j -> 1 + random.nextInt(8));
      int batch = Arrays.stream(sizes).sum();
      Interference interference =
          new Interference(
              1 + random.nextDouble(), 1 + random.nextDouble(), 1 + random.nextDouble());
      Costs costs =
          costs(
              batch,
              0.5 + random.nextDouble(),
              0.5 + 4 * random.nextDouble(),
              0.5 + 2 * random.nextDouble(),
              interference);
      List<Integer> list = Arrays.stream(sizes).boxed().toList();
      Schedule schedule = SchedulePlanner.plan(Order.EAGER, list, batch, 1);
      double expected = ticking(schedule, costs, 2e-4);
      assertThat(Simulator.run(schedule, costs, ONE).step())
          .as("case %d of seed %d: %s, %s", i, seed, list, interference)
          .isCloseTo(expected, within(0.004 * expected));
    }
  }

  /** Moves both devices on by {@code tick}, by less while both have something to do. */
  private static double ticking(Schedule schedule, Costs costs, double tick) {
    int count = schedule.sizes().size();
    Interference slower = costs.interference();
    List<Action> student = new ArrayList<>(schedule.student());
    List<Integer> queue = new ArrayList<>();
    boolean[] answered = new boolean[count];
    double studentLeft = -1;
    double teacherLeft = -1;
    double time = 0;
    while (true) {
      if (studentLeft < 0) {
        if (student.isEmpty()) {
          return time;
        }
        Action next = student.get(0);
        int samples = schedule.sizes().get(next.index());
        if (next.operation() == Operation.FORWARD) {
          studentLeft = costs.forward().of(samples);
        } else if (answered[next.index()]) {
          studentLeft = costs.backward().of(samples);
        }
      }
      if (teacherLeft < 0 && !queue.isEmpty()) {
        teacherLeft = costs.teacher().of(schedule.sizes().get(queue.get(0)));
      }
      boolean both = studentLeft >= 0 && teacherLeft >= 0;
      if (studentLeft >= 0) {
        Action now = student.get(0);
        studentLeft -= tick / (both ? slower.of(now.operation()) : 1);
        if (studentLeft < 0) {
          student.remove(0);
          if (now.operation() == Operation.FORWARD) {
            queue.add(now.index());
          }
        }
      }
      if (teacherLeft >= 0) {
        teacherLeft -= tick / (both ? slower.teacher() : 1);
        if (teacherLeft < 0) {
          answered[queue.remove(0)] = true;
        }
      }
      time += tick;
    }
  }

  @Test
  void interference_belowOne_isRefusedWithTheFactor() {
    assertThatThrownBy(() -> new Interference(1, 0.9, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("backward")
        .hasMessageContaining("0.9");
  }
}
