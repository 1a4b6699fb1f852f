package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.maskedkd.cli.ChaosEvent.Kind;
import org.maskedkd.cli.ChaosEvent.Role;

class ChaosPlanTest {
  private static long count(List<ChaosEvent> events, Role role) {
    return events.stream().filter(e -> e.kills() && e.role() == role).count();
  }

  @Test
  void draw_anySeed_hasAQuarterOfTheKillsPerRoleAndOneInACheckpoint() {
    for (long seed = 0; seed < 50; seed++) {
      List<ChaosEvent> events = ChaosPlan.draw(20, 3, 2, 65, seed);
      assertThat(events.stream().filter(ChaosEvent::kills)).as("seed %d", seed).hasSize(20);
      for (Role role : Role.values()) {
        assertThat(count(events, role)).as("seed %d, %s", seed, role).isGreaterThanOrEqualTo(5);
      }
      assertThat(events.stream().filter(e -> e.kind() == Kind.KILL_IN_CHECKPOINT))
          .hasSize(1)
          .allMatch(e -> e.role() == Role.STUDENT);
      assertThat(events.stream().filter(e -> e.kind() == Kind.PAUSE))
          .hasSize(3)
          .extracting(ChaosEvent::role)
          .containsExactlyInAnyOrder(Role.values());
      assertThat(events.stream().filter(e -> e.seconds() > 50)).hasSize(1);
      assertThat(events).allMatch(e -> e.index() == 0 || e.role() == Role.TEACHER);
    }
  }

  @Test
  void draw_fourKills_areOneOfEachRoleAndAStudentInACheckpoint() {
    List<ChaosEvent> events = ChaosPlan.draw(4, 0, 1, 65, 3);
    assertThat(events)
        .extracting(e -> e.role() + " " + e.kind())
        .containsExactlyInAnyOrder(
            "STUDENT KILL", "TEACHER KILL", "COORDINATOR KILL", "STUDENT KILL_IN_CHECKPOINT");
  }

  @Test
  void draw_moments_areUniform() {
    List<Double> moments = new ArrayList<>();
    for (long seed = 0; seed < 200; seed++) {
      List<ChaosEvent> events = ChaosPlan.draw(10, 0, 2, 65, seed);
      assertThat(events).extracting(ChaosEvent::at).isSorted();
      events.forEach(e -> moments.add(e.at()));
    }
    // 2000 numbers: each tenth gets 200, with a deviation of 13.4.
    for (int tenth = 0; tenth < 10; tenth++) {
      double from = tenth / 10.0;
      assertThat(moments.stream().filter(m -> m >= from && m < from + 0.1).count())
          .as("from %s", from)
          .isBetween(200L - 67, 200L + 67);
    }
  }

  @Test
  void draw_sameSeed_isTheSame() {
    assertThat(ChaosPlan.draw(20, 3, 2, 65, 1))
        .isEqualTo(ChaosPlan.draw(20, 3, 2, 65, 1))
        .isNotEqualTo(ChaosPlan.draw(20, 3, 2, 65, 2));
  }

  @Test
  void restartBudget_usedUp_isGivenBackByTime() {
    AtomicLong now = new AtomicLong(Long.MAX_VALUE - 10);
    RestartBudget budget = new RestartBudget(3, Duration.ofSeconds(30), now::get);
    assertThat(IntStream.range(0, 4).mapToObj(i -> budget.take()))
        .containsExactly(true, true, true, false);
    now.addAndGet(Duration.ofSeconds(29).toNanos());
    assertThat(budget.take()).isFalse();
    now.addAndGet(Duration.ofSeconds(2).toNanos());
    assertThat(budget.take()).isTrue();
    assertThat(budget.take()).isFalse();
    // No more than it ever had.
    now.addAndGet(Duration.ofHours(1).toNanos());
    assertThat(IntStream.range(0, 4).mapToObj(i -> budget.take()))
        .containsExactly(true, true, true, false);
  }
}
