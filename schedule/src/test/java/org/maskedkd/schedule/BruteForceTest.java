package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Forwards first against every order in which a student can do equal micro-batches: forwards by
 * index (equal ones may be renamed), backwards in any order, each behind its forward. Steps are
 * computed here on their own terms: a teacher takes the next micro-batch when it is free.
 */
class BruteForceTest {

  @ParameterizedTest
  @CsvSource({
    "1, 8", "1, 4", "1, 3", "1, 2", "2, 8", "2, 4", "2, 3", "2, 2",
  })
  void eager_anyOrderOfTheStudent_isNotFaster(int teachers, double teacher) {
    int[] expectedOrders = {1, 3, 15, 105, 945};
    for (int m = 1; m <= 5; m++) {
      Search search = new Search(m, 1, teacher, 2);
      double best = search.best(0, new double[teachers], new double[m], 0, 0);
      assertThat(search.orders).isEqualTo(expectedOrders[m - 1]);
      Simulation eager =
          Simulator.run(
              SchedulePlanner.plan(Order.EAGER, Collections.nCopies(m, 1), m, teachers),
              Costs.ideal(m, 1, teacher, 2),
              Collections.nCopies(teachers, 1.0));
      assertThat(eager.step()).as("%d micro-batches", m).isCloseTo(best, within(1e-9));
    }
  }

  private static final class Search {
    private final double forward;
    private final double teacher;
    private final double backward;
    private final int count;
    private int orders;

    Search(int count, double forward, double teacher, double backward) {
      this.count = count;
      this.forward = forward / count;
      this.teacher = teacher / count;
      this.backward = backward / count;
    }

    /** The shortest end when the student is at {@code now}; bits of {@code done} are backwards. */
    private double best(double now, double[] free, double[] signals, int forwards, int done) {
      if (done == (1 << count) - 1) {
        orders++;
        return now;
      }
      double best = Double.POSITIVE_INFINITY;
      if (forwards < count) {
        double handedOver = now + forward;
        int first = 0;
        for (int k = 1; k < free.length; k++) {
          first = free[k] < free[first] ? k : first;
        }
        double[] laterFree = free.clone();
        double[] laterSignals = signals.clone();
        laterFree[first] = Math.max(free[first], handedOver) + teacher;
        laterSignals[forwards] = laterFree[first];
        best = best(handedOver, laterFree, laterSignals, forwards + 1, done);
      }
      for (int i = 0; i < forwards; i++) {
        if ((done & 1 << i) == 0) {
          double end = Math.max(now, signals[i]) + backward;
          best = Math.min(best, best(end, free, signals, forwards, done | 1 << i));
        }
      }
      return best;
    }
  }
}
