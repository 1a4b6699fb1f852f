package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DoctorCommandTest {
  @Test
  void doctor_onAMachineThatRunsTheseTests_findsNothingWrong() {
    Run run = Run.of("doctor");
    assertThat(run.err()).isEmpty();
    assertThat(run.exit()).isZero();
    assertThat(run.out())
        .contains("java ", "memory ", "libtorch   in /", "ports ", "disk ")
        .contains(Runtime.version().toString());
  }
}
