package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Published figures are for F = 1, B = 2, T = 4 and one teacher. */
class StaleMasksTest {

  private static final int BATCH = 128;

  private static Costs withOverheads(double f, double t, double b) {
    return new Costs(
        Cost.linear(0.01, f / BATCH),
        Cost.linear(0.01, t / BATCH),
        Cost.linear(0.01, b / BATCH),
        samples -> 0.02,
        samples -> 0.02,
        0.05);
  }

  private static Schedule stale(int microBatches, int count) {
    return SchedulePlanner.withStaleMasks(exact(microBatches), count);
  }

  private static Schedule exact(int microBatches) {
    return SchedulePlanner.plan(
        Order.EAGER, SchedulePlanner.uniform(BATCH, microBatches), BATCH, 1);
  }

  private static double step(Schedule schedule, Costs costs) {
    return Simulator.run(schedule, costs, List.of(1.0)).step();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32})
  void step_oneStaleMaskWithoutOverheads_isTheTeachersTime(int microBatches) {
    Simulation simulation =
        Simulator.run(stale(microBatches, 1), Costs.ideal(BATCH, 1, 4, 2), List.of(1.0));

    assertThat(simulation.step()).isCloseTo(4, within(1e-9));
    assertThat(simulation.bubble()).isCloseTo(0, within(1e-9));
    // Its own forwards and backwards, and one more forward of the first micro-batch.
    assertThat(simulation.utilization().student()).isCloseTo(3 + 1.0 / microBatches, within(1e-9));
  }

  @ParameterizedTest
  @CsvSource({"0, 4.900", "1, 4.150", "2, 4.040"})
  void step_fourMicroBatchesWithOverheads_isThePublishedOne(int count, double published) {
    assertThat(step(stale(4, count), withOverheads(1, 4, 2))).isCloseTo(published, within(5e-4));
  }

  @Test
  void step_allMasksStaleAtEqualCost_isWorseThanExact() {
    Costs costs = Costs.ideal(BATCH, 1, 3, 2);

    assertThat(step(stale(8, 8), costs)).isCloseTo(4, within(1e-9));
    assertThat(step(exact(8), costs)).isCloseTo(3.375, within(1e-9));
  }

  @Test
  void position_anywhereAfterTheLastForward_isNeverBetter() {
    Random random = new Random(20261123);
    for (int i = 0; i < 300; i++) {
      int microBatches = random.nextInt(1, 7);
      int count = random.nextInt(1, microBatches + 1);
      Schedule planned = stale(microBatches, count);
      Costs costs = withOverheads(1, random.nextDouble(0.5, 8), random.nextDouble(1, 3));
      double step = step(planned, costs);
      int first = planned.student().indexOf(new Action(Operation.LOOK_AHEAD, 0));
      List<Action> others = new ArrayList<>(planned.student());
      List<Action> ahead = new ArrayList<>(others.subList(first, first + count));
      others.subList(first, first + count).clear();
      for (int at = first + 1; at <= others.size(); at++) {
        List<Action> student = new ArrayList<>(others);
        student.addAll(at, ahead);
        Schedule moved =
            new Schedule(
                Order.EAGER,
                planned.sizes(),
                BATCH,
                student,
                planned.teachers(),
                count,
                planned.ahead());
        assertThat(step(moved, costs))
            .as("seed 20261123, case %d: %s", i, Action.format(student))
            .isGreaterThanOrEqualTo(step * (1 - 1e-12));
      }
    }
  }

  @Test
  void spans_settledStep_coverItOnceAndTheirIdleTimesAddUp() {
    Schedule schedule = stale(4, 2);
    Simulation simulation = Simulator.run(schedule, withOverheads(1, 2, 2), List.of(1.0, 2.0));

    assertThat(simulation.spans())
        .allMatch(span -> span.start() >= 0 && span.end() <= simulation.step() + 1e-9);
    // Of each own micro-batch one, whole or from the middle on, unless it was done before.
    assertThat(simulation.spans().stream().filter(s -> s.operation() == Operation.TEACHER))
        .extracting(Span::index)
        .doesNotHaveDuplicates()
        .contains(2, 3);
    for (Idle idle : Idle.of(simulation.spans(), schedule, 2, 0, simulation.step())) {
      assertThat(idle.busy() + idle.total()).isCloseTo(simulation.step(), within(1e-9));
    }
    double work = 4 * 0.01 + 2;
    double done =
        simulation.utilization().busy().get(1) + simulation.utilization().busy().get(2) / 2;
    assertThat(done).isCloseTo(work, within(1e-9));
  }

  @Test
  void run_firstAndLastOfSuchSteps_areSimulatedForThemselves() {
    Costs costs = Costs.ideal(BATCH, 1, 4, 2);
    Schedule first = SchedulePlanner.withStaleMasks(exact(4), 0, List.of(32));
    Schedule last = SchedulePlanner.withStaleMasks(exact(4), 1, List.of());

    // No head start, and one forward more that hides in the teacher's time.
    assertThat(step(first, costs)).isCloseTo(step(exact(4), costs), within(1e-9));
    assertThat(step(last, costs)).isCloseTo(4, within(1e-9));
    assertThat(Simulator.run(last, costs, List.of(1.0)).spans())
        .noneMatch(span -> span.operation() == Operation.LOOK_AHEAD);
  }

  @Test
  void plan_windowOfHalfTheBatch_looksAheadAfterTheLastForward() {
    Schedule exact =
        SchedulePlanner.plan(Order.EAGER, SchedulePlanner.uniform(8, 4), 4, /* teachers= */ 1);

    assertThat(Action.format(SchedulePlanner.withStaleMasks(exact, 2).student()))
        .isEqualTo("F0 F1 B0 F2 B1 F3 A0 A1 B2 B3");
    assertThat(
            Action.format(
                SchedulePlanner.withStaleMasks(
                        SchedulePlanner.plan(Order.FILL_DRAIN, List.of(4, 4), 8, 1), 1)
                    .student()))
        .isEqualTo("F0 F1 A0 | B0 B1");
  }

  @Test
  void draw_settledStep_showsWhatIsForTheNextOne() {
    Simulation simulation = Simulator.run(stale(2, 1), Costs.ideal(BATCH, 2, 4, 2), List.of(1.0));

    // The student is the bottleneck here: 2 + 2 and one forward more.
    assertThat(TextDrawing.draw(StepPicture.of("", simulation), 20))
        .isEqualTo(
            """
            student  F0--F1--A0--B0--B1--
            teacher  T0--....T1------A0--
            """);
    String svg = SvgDrawing.draw(List.of(StepPicture.of("", simulation)), "", /* arrows= */ true);
    assertThat(svg).contains("for the next step", "<rect class='A'");
    assertThat(
            SvgDrawing.draw(
                List.of(
                    StepPicture.of(
                        "", Simulator.run(exact(2), Costs.ideal(BATCH, 2, 4, 2), List.of(1.0)))),
                "",
                /* arrows= */ true))
        .doesNotContain("for the next step");
  }

  @Test
  void check_whatCannotBeCarriedOut_isRefusedWithTheEntries() {
    Schedule sound = stale(2, 1);
    ScheduleValidator.check(sound, 1);
    refused(sound, "F0 A0 F1 B0 B1", "A0 (entry 2) comes before F1 (entry 3)");
    refused(
        sound,
        "F0 F1 B0 B1",
        "A0 is missing in the student's list; expected one for each of the 1");
    refused(sound, "F0 F1 A0 A1 B0 B1", "A1 (entry 4) of the next step's first ones names no");
    refused(sound, "O0 O1 F0 F1 A0 B0 B1", "of no use to teachers that are offered all patches");
    for (Order order : List.of(Order.SEQUENTIAL, Order.CONCURRENT_FULL, Order.MASKED_WHOLE)) {
      Schedule other = SchedulePlanner.plan(order, List.of(4, 4), 8, 1);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> SchedulePlanner.withStaleMasks(other, 1))
          .withMessageContaining("eager or fill-drain, found " + order.text());
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> stale(2, 3))
        .withMessageContaining("stale masks for 3 micro-batches of 2; expected 0 to 2");
  }

  private static void refused(Schedule like, String student, String message) {
    Schedule changed =
        new Schedule(
            like.order(),
            like.sizes(),
            like.window(),
            Action.parse(student),
            like.teachers(),
            like.stale(),
            like.ahead());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ScheduleValidator.check(changed, 1))
        .withMessageContaining(message);
  }
}
