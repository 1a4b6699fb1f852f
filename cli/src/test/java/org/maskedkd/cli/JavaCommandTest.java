package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class JavaCommandTest {
  private static final List<String> COMMAND = List.of("/usr/bin/java", "-Xmx9m", "Main", "train");

  @Test
  void pinned_oneCore_leavesTheOptimizingCompilerOut() {
    assertThat(JavaCommand.pinned("1", COMMAND))
        .containsExactly(
            "taskset",
            "-c",
            "1",
            "/usr/bin/java",
            "-XX:TieredStopAtLevel=1",
            "-Xmx9m",
            "Main",
            "train");
  }

  @Test
  void pinned_severalCores_keepsIt() {
    assertThat(JavaCommand.pinned("0,2-3", COMMAND))
        .containsExactly("taskset", "-c", "0,2-3", "/usr/bin/java", "-Xmx9m", "Main", "train");
  }

  @Test
  void givingWay_pinnedCommand_isNiceAsAWhole() {
    assertThat(JavaCommand.givingWay(JavaCommand.pinned("0,1", COMMAND)))
        .startsWith("nice", "-n", "19", "taskset", "-c", "0,1", "/usr/bin/java");
  }

  @Test
  void pinned_none_isTheCommand() {
    assertThat(JavaCommand.pinned("", COMMAND)).isEqualTo(COMMAND);
  }
}
