package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class FairQueueTest {
  private static final long MOST_BYTES = 100;

  private final Queue<Runnable> computed = new ArrayDeque<>();
  private final List<Integer> sizes = new ArrayList<>();
  private final FairQueue queue =
      new FairQueue(computed::add, MOST_BYTES, new ByteBudget(Long.MAX_VALUE), sizes::add);
  private final List<String> done = new ArrayList<>();

  private void compute(int tasks) {
    for (int i = 0; i < tasks; i++) {
      computed.remove().run();
    }
  }

  private static int count(List<String> all, String name) {
    return Collections.frequency(all, name);
  }

  @Test
  void lanes_oneGreedy_takeTurns() {
    FairQueue.Lane greedy = queue.lane(() -> {});
    FairQueue.Lane modest = queue.lane(() -> {});
    for (int i = 0; i < 30; i++) {
      greedy.add(1, () -> done.add("greedy"));
    }
    // Two at a time, as a coordinator's credit is.
    modest.add(1, () -> done.add("modest"));
    modest.add(1, () -> done.add("modest"));
    for (int i = 0; i < 40; i++) {
      int before = count(done, "modest");
      compute(1);
      if (count(done, "modest") > before) {
        modest.add(1, () -> done.add("modest"));
      }
    }

    for (int from = 0; from < done.size(); from++) {
      for (int to = from + 1; to <= done.size(); to++) {
        List<String> window = done.subList(from, to);
        assertThat(Math.abs(count(window, "greedy") - count(window, "modest")))
            .as("answers %s to %s", from, to)
            .isLessThanOrEqualTo(2);
      }
    }
  }

  @Test
  void size_tasksThatComeRunAndAreDropped_isTold() {
    FairQueue.Lane lane = queue.lane(() -> {});
    lane.add(1, () -> done.add("first"));
    lane.add(1, () -> done.add("second"));
    compute(1);
    lane.add(1, lane::drop);
    lane.add(1, () -> done.add("never"));
    compute(3);
    assertThat(done).containsExactly("first", "second");
    assertThat(sizes).containsExactly(1, 2, 1, 2, 3, 2, 1, 0);
  }

  @Test
  void lane_itsTasks_runInOrder() {
    FairQueue.Lane lane = queue.lane(() -> {});
    FairQueue.Lane other = queue.lane(() -> {});
    for (int i = 0; i < 4; i++) {
      String name = Integer.toString(i);
      lane.add(1, () -> done.add(name));
      other.add(1, () -> {});
    }
    compute(8);

    assertThat(done).containsExactly("0", "1", "2", "3");
  }

  @Test
  void hasRoom_tooManyTasks_isFalseUntilOneIsDone() {
    int[] resumed = {0};
    FairQueue.Lane lane = queue.lane(() -> resumed[0]++);
    for (int i = 0; i < FairQueue.MOST_TASKS; i++) {
      assertThat(lane.hasRoom()).isTrue();
      lane.add(1, () -> {});
    }
    assertThat(lane.hasRoom()).isFalse();

    compute(1);
    assertThat(resumed[0]).isOne();
    // Asked for once, told once.
    compute(1);
    assertThat(resumed[0]).isOne();
    assertThat(lane.hasRoom()).isTrue();
  }

  @Test
  void hasRoom_tooManyBytes_isFalseUntilTheyAreDone() {
    int[] resumed = {0};
    FairQueue.Lane lane = queue.lane(() -> resumed[0]++);
    lane.add(MOST_BYTES - 1, () -> {});
    assertThat(lane.hasRoom()).isTrue();
    lane.add(1, () -> {});
    assertThat(lane.hasRoom()).isFalse();

    compute(1);
    assertThat(resumed[0]).isOne();
  }

  @Test
  void drop_whatWaits_isNotComputed() {
    FairQueue.Lane gone = queue.lane(() -> {});
    FairQueue.Lane other = queue.lane(() -> {});
    gone.add(1, () -> done.add("gone"));
    gone.add(1, () -> done.add("gone"));
    other.add(1, () -> done.add("other"));
    compute(1);
    gone.drop();
    gone.add(1, () -> done.add("gone"));
    compute(2);

    assertThat(done).containsExactly("gone", "other");
  }

  @Test
  void task_thatFails_leavesItsLaneUsable() {
    FairQueue.Lane lane = queue.lane(() -> {});
    lane.add(
        1,
        () -> {
          throw new IllegalStateException("broken");
        });
    lane.add(1, () -> done.add("next"));
    assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> compute(1))).isNotNull();
    compute(1);

    assertThat(done).containsExactly("next");
    assertThat(lane.hasRoom()).isTrue();
  }
}
