package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelZoo;

/** The configurations that are shipped are ones that the program takes. */
class ExamplesTest {
  private static final Path EXAMPLES = Path.of("..", "examples");

  static Stream<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(EXAMPLES)) {
      return all.filter(file -> file.toString().endsWith(".yaml")).sorted().toList().stream();
    }
  }

  private static List<RunConfig> configs(Path file) throws IOException {
    return Files.readString(file).contains("\nrows:")
        ? AblationPlan.read(file).cells(List.of()).stream().map(AblationPlan.Cell::config).toList()
        : List.of(ConfigLoader.load(file, List.of()));
  }

  @ParameterizedTest
  @MethodSource("files")
  void config_everyExample_isAcceptedWithModelsThatThereAre(Path file) throws IOException {
    for (RunConfig config : configs(file)) {
      ModelConfig student = ModelConfig.parse(config.student().model());
      assertThat(student.canonical()).isNotEmpty();
      if (config.distils() && !config.teacher().model().equals("auto")) {
        assertThat(ModelZoo.parse(config.teacher().model()).patches()).isPositive();
      }
    }
  }

  @Test
  void rows_ofTheImagenetTable_areThoseOfThePaper() {
    AblationPlan plan = AblationPlan.read(EXAMPLES.resolve("imagenet/paper.yaml"));
    assertThat(plan.rows()).hasSize(32);
    assertThat(plan.cells(List.of())).hasSize(3 * 32);
  }
}
