package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.runtime.ExitCode;

class SharedGpusTest {
  @TempDir private Path directory;

  private final List<String> said = new ArrayList<>();
  private final SharedGpus gpus = new SharedGpus(said::add);

  @Test
  void add_deviceOfTwo_namesBothAndTheDeviceOnce() {
    gpus.add("the student", List.of("GPU-1"));
    gpus.add("the teacher", List.of("GPU-0", "GPU-1"));
    gpus.add("the teacher", List.of("GPU-0", "GPU-1"));
    assertThat(said)
        .singleElement()
        .asString()
        .startsWith("WARNING: the student and the teacher have the same GPU, GPU-1: ");
  }

  @Test
  void add_devicesOfTheirOwnUnknownOrOfOneThatLeft_saysNothing() {
    gpus.add("a", List.of("GPU-1", "GPU-1"));
    gpus.add("b", List.of("GPU-2"));
    gpus.add("c", List.of());
    gpus.remove("b");
    gpus.add("d", List.of("GPU-2"));
    assertThat(said).isEmpty();
  }

  @Test
  void run_studentAndTeacherOnOneGpu_isWarnedOfAndGoesOn() {
    try (House house = new House(directory.resolve("run"), 2)) {
      house.student.gpus = List.of("GPU-1");
      house.teachers.get(1).opening = opened -> opened.toBuilder().addGpus("GPU-1").build();

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed())
          .contains("WARNING: teacher 1 and the student have the same GPU, GPU-1");
    }
  }
}
