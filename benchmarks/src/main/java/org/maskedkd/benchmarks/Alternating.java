package org.maskedkd.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Two ways of doing something, measured in turn: whatever else the machine does meets both alike.
 */
final class Alternating {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private Alternating() {}

  /** What one execution took. With one libtorch thread the calling thread's CPU time is all. */
  record Cost(double wallSeconds, double cpuSeconds) {}

  /** The costs of both ways, round by round. */
  record Rounds(List<Cost> first, List<Cost> second) {

    double firstWall() {
      return median(first, Cost::wallSeconds);
    }

    double secondWall() {
      return median(second, Cost::wallSeconds);
    }

    double firstCpu() {
      return median(first, Cost::cpuSeconds);
    }

    double secondCpu() {
      return median(second, Cost::cpuSeconds);
    }
  }

  /** Runs both once unmeasured, then {@code rounds} times in turn. */
  static Rounds measure(int rounds, Runnable first, Runnable second) {
    first.run();
    second.run();
    List<Cost> a = new ArrayList<>();
    List<Cost> b = new ArrayList<>();
    for (int i = 0; i < rounds; i++) {
      a.add(cost(first));
      b.add(cost(second));
    }
    return new Rounds(a, b);
  }

  static Cost cost(Runnable work) {
    long cpu = THREADS.getCurrentThreadCpuTime();
    long wall = System.nanoTime();
    work.run();
    return new Cost(
        (System.nanoTime() - wall) / 1e9, (THREADS.getCurrentThreadCpuTime() - cpu) / 1e9);
  }

  static <T> double median(List<T> values, ToDoubleFunction<T> of) {
    double[] sorted = values.stream().mapToDouble(of).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
