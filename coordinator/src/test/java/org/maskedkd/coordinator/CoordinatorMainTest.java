package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.StageServer;

@Timeout(60)
class CoordinatorMainTest {

  @TempDir Path dir;

  @Test
  void run_stagesOnLoopback_trainsAndLeavesTheRunsFiles() throws Exception {
    Path config = dir.resolve("config.yaml");
    Files.writeString(
        config, ConfigLoader.toYaml(House.config(true, "runs-dir=" + dir, "name=main")));
    FakeStudent.Disk disk = new FakeStudent.Disk();
    try (FakeStudent student = new FakeStudent(disk);
        StageServer studentServer = StageServer.listen("127.0.0.1:0").service(student).start();
        StageServer teacherServer =
            StageServer.listen("127.0.0.1:0").service(new FakeTeacher()).start()) {
      ExitCode code =
          CoordinatorMain.run(
              "--config",
              config.toString(),
              "--student",
              "127.0.0.1:" + studentServer.port(),
              "--teachers",
              "127.0.0.1:" + teacherServer.port(),
              "--max-steps",
              "3",
              "schedule.epochs=1");

      assertThat(code).isEqualTo(ExitCode.DONE);
      assertThat(disk.checkpoints).containsOnlyKeys(3L);
      Path run = dir.resolve("main");
      assertThat(run.resolve("metrics.jsonl")).exists();
      assertThat(run.resolve("logs/coordinator.log")).isNotEmptyFile();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--config",
        "--config x.yaml --bogus",
        "--config /nowhere/x.yaml",
        "--config x.yaml --max-steps none",
      })
  void run_wrongArguments_isUsage(String arguments) {
    assertThat(CoordinatorMain.run(arguments.isEmpty() ? new String[0] : arguments.split(" ")))
        .isEqualTo(ExitCode.USAGE);
  }
}
