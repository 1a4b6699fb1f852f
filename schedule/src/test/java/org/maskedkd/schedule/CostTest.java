package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.schedule.CostFit.Point;

class CostTest {
  @ParameterizedTest
  @CsvSource({"0, 0", "1, 3", "2, 4", "4, 6", "5, 8", "8, 14", "10, 18"})
  void through_costsThatBend_isEachAndStraightBetween(int samples, double seconds) {
    Cost cost = Cost.through(List.of(new Point(4, 6), new Point(1, 3), new Point(8, 14)));
    assertThat(cost.of(samples)).isCloseTo(seconds, within(1e-12));
  }

  @Test
  void through_aLargerOneMeasuredCheaper_neverFalls() {
    Cost cost = Cost.through(List.of(new Point(1, 2), new Point(4, 1.5), new Point(8, 3)));
    assertThat(cost.of(3)).isEqualTo(2);
    assertThat(cost.of(4)).isEqualTo(2);
    assertThat(cost.of(6)).isCloseTo(2.5, within(1e-12));
  }

  @Test
  void through_oneNumberOfSamples_isRefusedWithThem() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Cost.through(List.of(new Point(4, 1), new Point(4, 2))))
        .withMessageContaining("samples=4");
  }

  @Test
  void bound_largeMicroBatchesCostMore_isThatOfTheCheapest() {
    Cost teacher = Cost.through(List.of(new Point(1, 3), new Point(4, 8), new Point(8, 24)));
    Costs costs =
        new Costs(Cost.linear(0, 0.1), teacher, Cost.linear(1, 0.1), Cost.NONE, Cost.NONE, 0);
    assertThat(costs.bound(16, List.of(1.0))).isCloseTo(32, within(1e-9));
    assertThat(costs.bound(16, List.of(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)))
        .isCloseTo(1 + 16 * 0.2, within(1e-9));
  }
}
