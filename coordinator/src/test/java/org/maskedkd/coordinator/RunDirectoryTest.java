package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;

class RunDirectoryTest {

  @TempDir Path dir;

  @Test
  void add_plan_isReadBackEqual() {
    PlannedStep plan =
        new PlannedStep(
            1, 2, 3, 0.1 + 0.2, 0.5, SchedulePlanner.plan(Order.FILL_DRAIN, List.of(4, 6), 12, 1));
    try (RunDirectory directory = RunDirectory.create(dir)) {
      directory.add(plan);
      assertThat(directory.attempts()).isEqualTo(2);
    }

    assertThat(
            new RecordedPlans(List.of(dir.resolve("plans.jsonl")), House.config(true))
                .plan(1, 2, 0, true))
        .isEqualTo(plan);
  }

  @Test
  void cutBack_laterStepsAndADamagedEnd_areDropped() throws IOException {
    Path plans = dir.resolve("plans.jsonl");
    Files.writeString(plans, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st");
    try (RunDirectory directory = RunDirectory.create(dir.resolve("other"))) {
      assertThat(directory.attempts()).isZero();
    }

    JsonLines.cutBack(plans, line -> line.get("step").asLong() <= 2);

    assertThat(lines(plans)).containsExactly("{\"step\":1}", "{\"step\":2}");
  }

  @Test
  void cutBack_again_leavesEveryPlanToReplay() {
    try (RunDirectory directory = RunDirectory.create(dir)) {
      for (long step = 1; step <= 4; step++) {
        directory.add(plan(step, 1, List.of(4, 6)));
      }
      directory.cutBack(1);
      // Replayed in part, then lost once more.
      directory.add(plan(2, 2, List.of(4, 6)));
      directory.cutBack(0);

      assertThat(directory.attempts()).isEqualTo(2);
      RecordedPlans recorded = new RecordedPlans(directory.recordedPlans(), House.config(true));
      for (long step = 1; step <= 4; step++) {
        assertThat(recorded.plan(step, 3, 0, false)).isEqualTo(plan(step, 3, List.of(4, 6)));
      }

      directory.forgetPlansAhead();
      assertThat(new RecordedPlans(directory.recordedPlans(), House.config(true)).has(1)).isFalse();
    }
  }

  private static PlannedStep plan(long step, int attempt, List<Integer> sizes) {
    return new PlannedStep(
        step, attempt, 0, 0.1, 0.5, SchedulePlanner.plan(Order.EAGER, sizes, 10, 1));
  }

  @Test
  void recordedPlans_stepMissingOrOfAnotherBatch_isRefused() throws IOException {
    Path plans = dir.resolve("plans.jsonl");
    Files.writeString(
        plans,
        JsonLines.JSON.writeValueAsString(
                new PlanLine(1, 1, 0, 1, List.of(4), 4, "eager", 0.5, null))
            + "\n");
    RecordedPlans recorded = new RecordedPlans(List.of(plans), House.config(true));

    assertThat(TrainingRunTest.failure(() -> recorded.plan(2, 1, 0, true)))
        .hasMessageContaining("no plan of step 2");
    assertThat(TrainingRunTest.failure(() -> recorded.plan(1, 1, 0, true)))
        .hasMessageContaining("a batch of 4")
        .hasMessageContaining("a batch of 10");
  }

  @Test
  void create_heldByAnother_isRefused() {
    try (RunDirectory first = RunDirectory.create(dir)) {
      RunException e = TrainingRunTest.failure(() -> RunDirectory.create(first.path()).close());

      assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
      assertThat(e).hasMessageContaining("in use");
    }
    RunDirectory.create(dir).close();
  }

  @Test
  void create_directoryCannotBeMade_isCannotWrite() throws IOException {
    Path file = Files.createFile(dir.resolve("file"));

    assertThat(
            TrainingRunTest.failure(() -> RunDirectory.create(file.resolve("run")).close())
                .exitCode())
        .isEqualTo(ExitCode.CANNOT_WRITE);
  }

  @Test
  void resume_noRunThere_isRefused() {
    assertThat(TrainingRunTest.failure(() -> RunDirectory.resume(dir).close()))
        .hasMessageContaining("no run to resume");
  }

  static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
