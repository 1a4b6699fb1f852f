package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.RunException;

@Timeout(20)
class EventLoopTest {

  private long nanos = Long.MAX_VALUE - 5;
  private final NetworkLoop network = new NetworkLoop();
  private final EventLoop loop = new EventLoop(network, () -> nanos);
  private final List<String> ran = new ArrayList<>();

  @AfterEach
  void close() {
    network.close();
  }

  @Test
  void schedule_severalTimers_runInOrderOfTheirTimesAcrossTheClocksWrap() {
    loop.schedule(Duration.ofNanos(20), () -> ran.add("late"));
    loop.schedule(Duration.ofNanos(3), () -> ran.add("early"));
    loop.schedule(Duration.ofNanos(10), () -> ran.add("cancelled")).cancel();
    nanos += 30;

    loop.runUntil(() -> ran.size() == 2);

    assertThat(ran).containsExactly("early", "late");
  }

  @Test
  void schedule_notYetDue_waitsForTheClock() {
    loop.schedule(Duration.ofMillis(1), () -> ran.add("timer"));
    loop.execute(() -> ran.add("event"));
    loop.execute(() -> nanos += 1_000_000);

    loop.runUntil(() -> ran.size() == 2);

    assertThat(ran).containsExactly("event", "timer");
  }

  @Test
  void runUntil_alreadyTrue_runsNothing() {
    loop.execute(() -> ran.add("event"));

    loop.runUntil(() -> true);

    assertThat(ran).isEmpty();
  }

  @Test
  void runUntil_anEventThrows_throwsItAndStaysFailed() {
    loop.execute(
        () -> {
          throw new IllegalStateException("broken");
        });

    for (int i = 0; i < 2; i++) {
      RunException e = TrainingRunTest.failure(() -> loop.runUntil(() -> false));
      assertThat(e.exitCode()).isEqualTo(ExitCode.INTERNAL);
      assertThat(e).hasMessageContaining("broken");
    }
  }

  @Test
  void backoff_doublesUpToTheLongest_betweenHalfAndAllOfIt() {
    Patience patience = Patience.standard(House.config(false));
    Random random = new Random(7);

    long[][] millis = {{1, 200}, {2, 400}, {6, 6400}, {7, 10_000}, {1_000_000, 10_000}};
    for (long[] expected : millis) {
      Set<Duration> seen = new HashSet<>();
      for (int i = 0; i < 100; i++) {
        Duration pause = patience.backoff((int) expected[0], random);
        assertThat(pause)
            .isBetween(Duration.ofMillis(expected[1] / 2), Duration.ofMillis(expected[1]));
        seen.add(pause);
      }
      assertThat(seen).hasSizeGreaterThan(90);
    }
  }

  @Test
  void backoff_sameSeed_isTheSame() {
    Patience patience = Patience.standard(House.config(false));

    assertThat(patience.backoff(3, new Random(1))).isEqualTo(patience.backoff(3, new Random(1)));
  }
}
