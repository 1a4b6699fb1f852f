package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

class AblationPlanTest {
  @TempDir private Path folder;

  private Path write(String text) throws IOException {
    TinyRun.config(folder);
    return Files.writeString(folder.resolve("table.yaml"), text);
  }

  @Test
  void read_rowsAndGrid_areAllCombinationsSeedBySeed() throws IOException {
    Path file =
        write(
            """
            config: tiny.yaml
            runs-dir: /tmp/nowhere
            seeds: [3, 5]
            rows:
              alone: {distillation.kind: none}
            grid:
              masking.keep: [0.5, 0.25]
              masking.criterion: [student, random]
            """);
    AblationPlan plan = AblationPlan.read(file);
    assertThat(plan.folder()).isEqualTo(Path.of("/tmp/nowhere/table"));
    assertThat(plan.rows().keySet())
        .containsExactly(
            "alone",
            "keep-0.5_criterion-student",
            "keep-0.5_criterion-random",
            "keep-0.25_criterion-student",
            "keep-0.25_criterion-random");

    List<AblationPlan.Cell> cells = plan.cells(List.of("schedule.epochs=7"));

    assertThat(cells).hasSize(10);
    AblationPlan.Cell last = cells.get(9);
    assertThat(last.seed()).isEqualTo(5);
    assertThat(last.directory())
        .isEqualTo(Path.of("/tmp/nowhere/table/keep-0.25_criterion-random-seed5"));
    assertThat(last.config().seed()).isEqualTo(5);
    assertThat(last.config().masking().keep()).isEqualTo(0.25);
    assertThat(last.config().masking().criterion()).isEqualTo(RunConfig.Criterion.RANDOM);
    assertThat(last.config().schedule().epochs()).isEqualTo(7);
    assertThat(cells.get(0).config().distils()).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "seeds: [1] | names no config",
        "'config: tiny.yaml' | neither rows nor a grid",
        "'{config: tiny.yaml, rows: {a: {}}, sedes: [1]}' | sedes",
        "'{config: tiny.yaml, rows: {a b: {}}}' | is no name",
        "'{config: tiny.yaml, rows: {a: {}}, seeds: [1, 1]}' | each once",
        "'{config: tiny.yaml, grid: {name: [a/b, a-b]}}' | two rows are called",
      })
  void read_whatDoesNotFit_isRefusedNamingIt(String text, String expected) throws IOException {
    Path file = write(text);
    RunException e = catchThrowableOfType(RunException.class, () -> AblationPlan.read(file));
    assertThat(e).hasMessageContainingAll(file.toString(), expected);
    assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void cells_wrongKeyInOneRow_isRefusedBeforeAnythingRuns() throws IOException {
    AblationPlan plan =
        AblationPlan.read(write("{config: tiny.yaml, rows: {good: {}, bad: {masking.kep: 0.5}}}"));
    RunException e = catchThrowableOfType(RunException.class, () -> plan.cells(List.of()));
    assertThat(e).hasMessageContainingAll("row bad", "masking.kep", "masking.keep");
  }

  @Test
  void deviation_sample_isDividedByOneLess() {
    double[] values = {1, 2, 3, 6};
    assertThat(AblationTable.mean(values)).isEqualTo(3);
    // (4 + 1 + 0 + 9) / 3
    assertThat(AblationTable.deviation(values)).isCloseTo(Math.sqrt(14.0 / 3), within(1e-15));
    assertThat(AblationTable.deviation(new double[] {1})).isNaN();
  }
}
