package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.Costs;
import org.maskedkd.schedule.Idle;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.schedule.Simulation;
import org.maskedkd.schedule.Simulator;

class MeasuredStepTest {

  @ParameterizedTest
  @EnumSource
  void latencies_anyOrder_areThoseThatTheStepWasSimulatedWith(Order order) {
    Schedule schedule = SchedulePlanner.plan(order, List.of(4, 4, 4, 4), 16, 1);
    Costs costs =
        new Costs(
            Cost.linear(0, 0.25),
            Cost.linear(0, 1),
            Cost.linear(0, 0.5),
            samples -> 0.125,
            samples -> 0.0625,
            0.5);
    Simulation simulated = Simulator.run(schedule, costs, List.of(1.0));
    MeasuredStep step =
        new MeasuredStep(1, schedule, 1, Set.of(), 0, simulated.step(), 0, simulated.spans(), 0);

    // Where the patches go before the forward no forward says when.
    double indices = order == Order.CONCURRENT_FULL ? 0 : 0.125;
    assertThat(step.indicesLatency()).isCloseTo(indices, within(1e-12));
    assertThat(step.signalsLatency()).isCloseTo(0.0625, within(1e-12));
    assertThat(step.optimizer()).isEqualTo(0.5);
    assertThat(step.utilization().busy())
        .usingElementComparator((a, b) -> Math.abs(a - b) < 1e-9 ? 0 : Double.compare(a, b))
        .containsExactly(16 * 0.75 + 0.5, 16.0);
  }

  @Test
  void utilization_placeThatNobodyHas_countsForNothing() {
    Schedule schedule = SchedulePlanner.plan(Order.EAGER, List.of(4, 4, 4, 4), 16, 1);
    Costs costs =
        new Costs(
            Cost.linear(0, 0.25),
            Cost.linear(0, 1),
            Cost.linear(0, 0.5),
            Cost.NONE,
            Cost.NONE,
            0.5);
    Simulation simulated = Simulator.run(schedule, costs, List.of(1.0));
    MeasuredStep step =
        new MeasuredStep(
            1, schedule, 3, Set.of(2, 3), 0, simulated.step(), 0, simulated.spans(), 0);

    assertThat(step.utilization().bubble())
        .isCloseTo(simulated.utilization().bubble(), within(1e-12));
    assertThat(step.idle()).extracting(Idle::device).containsExactly(0, 1);
  }
}
