package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TeacherPaceTest {

  private final TeacherPace pace = new TeacherPace();

  @Test
  void secondsPerSample_beforeAnAnswer_isUnknown() {
    pace.answered(0, 3);
    assertThat(pace.secondsPerSample()).isNaN();
  }

  @Test
  void answered_theSecond_replacesTheFirstWhichMayIncludeWarmingUp() {
    pace.answered(50, 1);
    assertThat(pace.secondsPerSample()).isEqualTo(50);
    pace.answered(2, 4);
    assertThat(pace.secondsPerSample()).isEqualTo(0.5);
  }

  @Test
  void answered_later_movesTheAverageBySamples() {
    pace.answered(1, 1);
    pace.answered(4, 8);
    // A quarter of the past goes: 3 s of 6 samples, and 4 s of one more.
    pace.answered(4, 1);
    assertThat(pace.secondsPerSample()).isCloseTo(7.0 / 7, within(1e-12));
  }

  @Test
  void stepEnded_withoutAnAnswer_isTakenForFasterUntilItIsTriedAgain() {
    pace.answered(8, 1);
    pace.stepEnded();
    assertThat(pace.secondsPerSample()).isEqualTo(8);
    for (int step = 0; step < 100; step++) {
      pace.stepEnded();
    }
    assertThat(pace.secondsPerSample()).isBetween(0.5, 2.0);
  }
}
