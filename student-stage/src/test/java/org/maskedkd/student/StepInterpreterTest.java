package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Order;
import org.maskedkd.proto.v1.StepPlan;

class StepInterpreterTest {
  /**
   * Writes down what it is told, and answers the gradients that it has been given so far when asked
   * to wait.
   */
  private static final class Notes implements StepInterpreter.Device {
    final List<String> lines = new ArrayList<>();
    final Set<Integer> waitedFor = new TreeSet<>();

    @Override
    public void forward(int index, int from, int to) {
      lines.add("F" + index + "[" + from + "," + to + ")");
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
    return StepPlan.newBuilder()
        .setStep(7)
        .setOrder(order)
        .setWindowSamples(window)
        .addAllMicroBatchSizes(List.of(sizes))
        .build();
  }

  @Test
  void eager_windowOfTheWholeBatch_runsEveryForwardFirst() throws Exception {
    assertThat(drawn(Order.ORDER_EAGER, 12, 4, 4, 4))
        .isEqualTo("F0[0,4) F1[4,8) F2[8,12) ?0 B0 ?1 B1 ?2 B2");
  }

  @Test
  void eager_windowInSamples_goesBackBeforeTheNextForwardFits() throws Exception {
    assertThat(drawn(Order.ORDER_EAGER, 6, 2, 4, 4, 2))
        .isEqualTo("F0[0,2) F1[2,6) ?0 B0 ?1 B1 F2[6,10) F3[10,12) ?2 B2 ?3 B3");
  }

  @Test
  void fillDrain_waitsForEveryGradientBeforeTheFirstBackward() throws Exception {
    assertThat(drawn(Order.ORDER_FILL_DRAIN, 10, 4, 3, 3))
        .isEqualTo("F0[0,4) F1[4,7) F2[7,10) ?0 ?1 ?2 B0 B1 B2");
  }

  @Test
  void sizes_thatDoNotFillTheBatch_areRefusedWithBothNumbers() {
    assertThatThrownBy(() -> StepInterpreter.run(plan(Order.ORDER_EAGER, 8, 4, 4), 9, new Notes()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[4, 4] add up to 8, the batch has 9");
  }

  @Test
  void window_smallerThanTheLargestMicroBatch_isRefused() {
    assertThatThrownBy(() -> StepInterpreter.run(plan(Order.ORDER_EAGER, 5, 2, 6), 8, new Notes()))
        .hasMessageContaining("a window of 5 samples cannot hold 6");
  }

  @Test
  void fillDrain_withAWindowBelowTheBatch_isRefused() {
    assertThatThrownBy(
            () -> StepInterpreter.run(plan(Order.ORDER_FILL_DRAIN, 7, 4, 4), 8, new Notes()))
        .hasMessageContaining("a window of 7 samples cannot hold 8");
  }

  @Test
  void size_ofZero_isRefused() {
    assertThatThrownBy(() -> StepInterpreter.run(plan(Order.ORDER_EAGER, 8, 8, 0), 8, new Notes()))
        .hasMessageContaining("at least 1");
  }
}
