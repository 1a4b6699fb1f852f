package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.runtime.ExitCode;

class SharedGpusTest {
  @TempDir private Path directory;

  @Test
  void warnings_deviceOfTwo_namesBothAndTheDevice() {
    assertThat(
            SharedGpus.warnings(
                Map.of("the student", List.of("GPU-1"), "the teacher", List.of("GPU-0", "GPU-1"))))
        .singleElement()
        .asString()
        .contains("the student", "the teacher", " have the same GPU, GPU-1: ");
  }

  @Test
  void warnings_devicesOfTheirOwnOrUnknown_areNone() {
    assertThat(
            SharedGpus.warnings(
                Map.of("a", List.of("GPU-1", "GPU-1"), "b", List.of("GPU-2"), "c", List.of())))
        .isEmpty();
  }

  @Test
  void run_studentAndTeacherOnOneGpu_isWarnedOfAndGoesOn() {
    try (House house = new House(directory.resolve("run"), 2)) {
      house.student.gpus = List.of("GPU-1");
      house.teachers.get(1).opening = opened -> opened.toBuilder().addGpus("GPU-1").build();

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed())
          .contains("WARNING: the student and teacher 1 have the same GPU, GPU-1");
    }
  }
}
