package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ProfilePaceTest {
  private final ProfilePace pace = new ProfilePace();

  private void train(int steps, double seconds) {
    for (int i = 0; i < steps; i++) {
      pace.trained(seconds);
    }
  }

  @Test
  void affords_profileThatCostsManySteps_waitsUntilItIsTwoPercentOfThem() {
    pace.profiled(10, 8);
    train(3199, 0.125);
    assertThat(pace.affords(10 + 3199)).isFalse();
    train(1, 0.125);
    assertThat(pace.affords(10 + 3200)).isTrue();
  }

  @Test
  void affords_profileThatCostsLessThanAStep_waitsForTwoHundredSteps() {
    pace.profiled(10, 8);
    train(199, 60);
    assertThat(pace.affords(209)).isFalse();
    train(1, 60);
    assertThat(pace.affords(210)).isTrue();
  }

  @Test
  void affords_afterAnother_countsAnew() {
    pace.profiled(10, 1);
    train(400, 1);
    assertThat(pace.affords(410)).isTrue();
    pace.profiled(410, 4);
    train(199, 1);
    assertThat(pace.affords(610)).isFalse();
    train(1, 1);
    assertThat(pace.affords(610)).isTrue();
  }
}
