package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ClockOffsetTest {

  @Test
  void toLocal_nothingKnown_isTheSameWithoutBound() {
    ClockOffset offset = new ClockOffset();

    assertThat(offset.toLocal(17)).isEqualTo(17);
    assertThat(offset.errorSeconds()).isInfinite();
  }

  @Test
  void toLocal_symmetricTrip_isExact() {
    ClockOffset offset = new ClockOffset();
    offset.sample(1000, 501_050, 1100);

    assertThat(offset.toLocal(501_050)).isEqualTo(1050);
    assertThat(offset.errorSeconds()).isEqualTo(50e-9);
  }

  @Test
  void toLocal_anyTrips_isWithinTheStatedError() {
    long seed = 20261123;
    SplittableRandom random = new SplittableRandom(seed);
    long ahead = -987_654_321_987L;
    ClockOffset offset = new ClockOffset();
    long now = 0;
    for (int i = 0; i < 1000; i++) {
      long there = random.nextLong(1_000_000);
      long back = random.nextLong(1_000_000);
      offset.sample(now, now + there + ahead, now + there + back);
      now += there + back;
      assertThat(Math.abs(offset.toLocal(now + ahead) - now) / 1e9)
          .as("seed %d, trip %d", seed, i)
          .isLessThanOrEqualTo(offset.errorSeconds());
    }
  }

  @Test
  void toLocal_clockThatDrifted_followsOnceTheOldTripsAreGone() {
    ClockOffset offset = new ClockOffset();
    offset.sample(0, 100, 0);
    for (int i = 0; i < 64; i++) {
      offset.sample(1000, 2000, 1020);
    }

    assertThat(offset.toLocal(2000)).isEqualTo(1010);
  }

  @Test
  void sample_receivedBeforeItWasSent_isRefused() {
    assertThatThrownBy(() -> new ClockOffset().sample(5, 0, 4))
        .hasMessageContaining("5")
        .hasMessageContaining("4");
  }
}
