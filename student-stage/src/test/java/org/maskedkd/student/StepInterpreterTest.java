package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Action;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;

class StepInterpreterTest {
  /**
   * Writes down what it is told, and answers the gradients that it has been given so far when asked
   * to wait.
   */
  private static final class Notes implements StepInterpreter.Device {
    final List<String> lines = new ArrayList<>();
    final Set<Integer> waitedFor = new TreeSet<>();

    @Override
    public void offer(int index, int from, int to) {
      lines.add("O" + index + "[" + from + "," + to + ")");
    }

    @Override
    public void forward(int index, int from, int to) {
      lines.add("F" + index + "[" + from + "," + to + ")");
    }

    @Override
    public void lookAhead(int index, int from, int to) {
      lines.add("A" + index + "[" + from + "," + to + ")");
    }

    @Override
    public void awaitGradient(int index) {
      if (waitedFor.add(index)) {
        lines.add("?" + index);
      }
    }

    @Override
    public void backward(int index) {
      lines.add("B" + index);
    }
  }

  private static String drawn(Order order, int window, Integer... sizes) throws Exception {
    Notes notes = new Notes();
    int batch = List.of(sizes).stream().mapToInt(Integer::intValue).sum();
    StepInterpreter.run(plan(order, window, sizes), batch, notes);
    return String.join(" ", notes.lines);
  }

  private static StepPlan plan(Order order, int window, Integer... sizes) {
    return Plans.of(SchedulePlanner.plan(order, List.of(sizes), window, 1));
  }

  @Test
  void eager_windowOfTheWholeBatch_runsEveryForwardFirst() throws Exception {
    assertThat(drawn(Order.EAGER, 12, 4, 4, 4))
        .isEqualTo("F0[0,4) F1[4,8) F2[8,12) ?0 B0 ?1 B1 ?2 B2");
  }

  @Test
  void eager_windowInSamples_goesBackBeforeTheNextForwardFits() throws Exception {
    assertThat(drawn(Order.EAGER, 6, 2, 4, 4, 2))
        .isEqualTo("F0[0,2) F1[2,6) ?0 B0 ?1 B1 F2[6,10) F3[10,12) ?2 B2 ?3 B3");
  }

  @Test
  void fillDrain_waitsForEveryGradientBeforeTheFirstBackward() throws Exception {
    assertThat(drawn(Order.FILL_DRAIN, 10, 4, 3, 3))
        .isEqualTo("F0[0,4) F1[4,7) F2[7,10) ?0 ?1 ?2 B0 B1 B2");
  }

  @Test
  void sizes_thatDoNotFillTheBatch_areRefusedWithBothNumbers() {
    assertThatThrownBy(() -> StepInterpreter.run(plan(Order.EAGER, 8, 4, 4), 9, new Notes()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[4, 4] add up to 8, the batch has 9");
  }

  @Test
  void concurrentFull_offersEveryMicroBatchFirst() throws Exception {
    assertThat(drawn(Order.CONCURRENT_FULL, 7, 4, 3))
        .isEqualTo("O0[0,4) O1[4,7) F0[0,4) F1[4,7) ?0 B0 ?1 B1");
  }

  @Test
  void staleMasks_lookAheadWithTheNextStepsSizes() throws Exception {
    Notes notes = new Notes();
    Schedule exact = SchedulePlanner.plan(Order.EAGER, List.of(4, 3), 7, 1);

    StepInterpreter.run(
        Plans.of(SchedulePlanner.withStaleMasks(exact, 1, List.of(2, 3))), 7, notes);

    assertThat(String.join(" ", notes.lines))
        .isEqualTo("F0[0,4) F1[4,7) A0[0,2) A1[2,5) ?0 B0 ?1 B1");
  }

  @Test
  void actions_heldBeyondTheWindow_areRefusedWithBothNumbers() {
    StepPlan plan = plan(Order.EAGER, 8, 4, 4).toBuilder().setWindowSamples(5).build();

    assertThatThrownBy(() -> StepInterpreter.run(plan, 8, new Notes()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("step 7")
        .hasMessageContaining("5")
        .hasMessageContaining("8");
  }

  @Test
  void actions_backwardBeforeForward_areRefused() {
    StepPlan.Builder plan = plan(Order.EAGER, 8, 4, 4).toBuilder();
    Action first = plan.getActions(0);
    plan.setActions(0, plan.getActions(2)).setActions(2, first);

    assertThatThrownBy(() -> StepInterpreter.run(plan.build(), 8, new Notes()))
        .hasMessageContaining("B0");
  }

  @Test
  void action_unknown_isRefused() {
    StepPlan plan =
        plan(Order.EAGER, 8, 8).toBuilder()
            .addActions(Action.newBuilder().setOperationValue(99))
            .build();

    assertThatThrownBy(() -> StepInterpreter.run(plan, 8, new Notes()))
        .hasMessageContaining("action 99");
  }
}
