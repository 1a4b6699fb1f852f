package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProfilerTest {
  @ParameterizedTest
  @CsvSource({"0, 15", "0.05, 15", "3, 4", "10, 3", "100, 3"})
  void repeats_anyStep_areMoreWhereStepsAreShort(double stepSeconds, int repeats) {
    assertThat(Profiler.repeats(stepSeconds)).isEqualTo(repeats);
  }
}
