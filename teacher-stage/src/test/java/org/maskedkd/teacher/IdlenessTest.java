package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

class IdlenessTest {
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  private final AtomicLong clock = new AtomicLong(-7);
  private final Idleness idleness = new Idleness(Duration.ofSeconds(10), clock::get);

  @Test
  void requireNotOver_noRunUntilTheLimit_endsAsAPeerThatStaysAway() {
    clock.addAndGet(10 * SECOND - 1);
    assertThat(idleness.nanosLeft()).isEqualTo(1);
    assertThatCode(idleness::requireNotOver).doesNotThrowAnyException();

    clock.incrementAndGet();
    assertThatThrownBy(idleness::requireNotOver)
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.PEER_AWAY))
        .hasMessageContaining("no run was here for 10 s");
  }

  @Test
  void nanosLeft_aRunIsHere_isTheWholeLimitHoweverLongItStays() {
    clock.addAndGet(9 * SECOND);
    idleness.begin();
    clock.addAndGet(100 * SECOND);

    assertThat(idleness.nanosLeft()).isEqualTo(10 * SECOND);
  }

  @Test
  void nanosLeft_oneOfTwoRunsLeft_beginsToCountWithTheSecond() {
    idleness.begin();
    idleness.begin();
    clock.addAndGet(5 * SECOND);
    idleness.end();
    clock.addAndGet(20 * SECOND);
    assertThat(idleness.nanosLeft()).isEqualTo(10 * SECOND);

    idleness.end();
    clock.addAndGet(4 * SECOND);
    assertThat(idleness.nanosLeft()).isEqualTo(6 * SECOND);
  }

  @Test
  void nanosLeft_noLimit_neverComes() {
    Idleness unlimited = new Idleness(Duration.ZERO, clock::get);
    clock.addAndGet(1_000_000 * SECOND);

    assertThat(unlimited.nanosLeft()).isEqualTo(Long.MAX_VALUE);
    assertThatCode(unlimited::requireNotOver).doesNotThrowAnyException();
  }
}
