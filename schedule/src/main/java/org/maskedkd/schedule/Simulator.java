package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Predicts how long a step takes. The student does one action after another. Teachers share one
 * queue: each has credit for one running and one waiting micro-batch, and the {@link Dispatcher}
 * says who gets the next, as it does in a run. It knows the costs here, where a run estimates them
 * from the answers it has had. What is assigned takes {@link Costs#indices} to get there, and a
 * teacher's credit comes back with its answer, {@link Costs#signals} after its forward: when both
 * together exceed a teacher's forward, it waits for them, as it would in a run.
 */
public final class Simulator {

  private Simulator() {}

  /**
   * One step. With stale masks the steps before it, which gave the teachers their head start, are
   * simulated too until they take equally long. What a teacher does beyond the end of the step is
   * cut off there, what it began before its start likewise.
   *
   * @param slowness per teacher what its forward takes against {@code costs}: 1 for as long, 2 for
   *     twice as long. Empty without teachers: a gradient is there when its forward is done
   * @throws IllegalArgumentException naming the numbers, if the schedule cannot be carried out or a
   *     factor or a cost is out of range
   */
  public static Simulation run(Schedule schedule, Costs costs, List<Double> slowness) {
    ScheduleValidator.check(schedule, slowness.size());
    for (double factor : slowness) {
      if (!(factor > 0) || Double.isInfinite(factor)) {
        throw new IllegalArgumentException(
            "a teacher's slowness must be a number above 0, found " + slowness);
      }
    }
    checkCosts(schedule, costs);
    Replay replay = settled(schedule, costs, slowness);
    double step = replay.step();
    List<Span> spans = new ArrayList<>(replay.spans());
    spans.sort(
        Comparator.comparingInt(Span::device)
            .thenComparingDouble(Span::start)
            .thenComparingDouble(Span::end));
    return new Simulation(spans, Utilization.of(spans, slowness.size(), 0, step), peak(schedule));
  }

  /** Only how long a legal schedule takes. */
  static double step(Schedule schedule, Costs costs, List<Double> slowness) {
    return settled(schedule, costs, slowness).step();
  }

  /** Played, and again until the tasks slow each other as much as they overlap. */
  private static Replay settled(Schedule schedule, Costs costs, List<Double> slowness) {
    Slowdown slowdown = new Slowdown(costs.interference(), schedule.sizes().size());
    Replay replay = new Replay(schedule, costs, slowness, slowdown);
    double step = replay.play();
    if (costs.interference().equals(Interference.NONE)) {
      return replay;
    }
    for (int round = 1;
        round < Slowdown.MOST_ROUNDS && slowdown.fit(replay.spans(), step) > Slowdown.SETTLED;
        round++) {
      replay = new Replay(schedule, costs, slowness, slowdown);
      step = replay.play();
    }
    return replay;
  }

  private static int peak(Schedule schedule) {
    int held = 0;
    int peak = 0;
    for (Action action : schedule.student()) {
      if (action.operation() == Operation.FORWARD) {
        held += schedule.sizes().get(action.index());
        peak = Math.max(peak, held);
      } else if (action.operation() == Operation.BACKWARD) {
        held -= schedule.sizes().get(action.index());
      }
    }
    return peak;
  }

  private static void checkCosts(Schedule schedule, Costs costs) {
    check("optimizer", costs.optimizer(), "");
    List<Integer> sizes = new ArrayList<>(schedule.sizes());
    sizes.addAll(schedule.ahead());
    for (int size : sizes) {
      String of = " for " + size + " samples";
      check("forward", costs.forward().of(size), of);
      check("teacher", costs.teacher().of(size), of);
      check("backward", costs.backward().of(size), of);
      check("indices", costs.indices().of(size), of);
      check("signals", costs.signals().of(size), of);
    }
  }

  private static void check(String name, double cost, String of) {
    if (!(cost >= 0) || Double.isInfinite(cost)) {
      throw new IllegalArgumentException(
          "the cost of %s%s must be a number from 0 on, found %s".formatted(name, of, cost));
    }
  }
}
