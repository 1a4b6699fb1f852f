package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Wrong words end a process before it does anything. */
@ExtendWith(SharedStages.Extension.class)
class WrongUseProcessTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "masking.keep=0 | masking.keep is 0.0, expected a share of the patches in (0, 1]",
        "masking.keep=1.5 | masking.keep is 1.5, expected a share of the patches in (0, 1]",
        "schedule.micro-batches=13 | schedule.batch is 12, too small for 13 micro-batches",
        "schedule.widnow=12 | the nearest known one is \"schedule.window\"",
        "--max-stps=3 | Did you mean --max-steps?",
      })
  void train_wrongWord_exits64WithBothValues(String word, String message) {
    TinyRun run = TinyRun.train(folder, "refused", word).endsWith(64);
    assertThat(run.said()).contains(message).doesNotContain("\tat ");
    assertThat(run.path()).doesNotExist();
  }

  @Test
  void studentStage_addressBeyondLoopback_exits64NamingInsecure() {
    MaskedKdProcess stage =
        MaskedKdProcess.start(folder, "student-stage", "--listen=0.0.0.0:0").endsWith(64);
    assertThat(stage.said()).contains("0.0.0.0:0").contains("--insecure");
  }

  @Test
  void studentStage_portInUse_exits64NamingThePort(SharedStages stages) {
    String taken = stages.student();
    MaskedKdProcess stage =
        MaskedKdProcess.start(folder, "student-stage", "--listen=" + taken).endsWith(64);
    assertThat(stage.said())
        .contains("port " + taken.substring(taken.indexOf(':') + 1) + " of 127.0.0.1 is in use");
  }
}
