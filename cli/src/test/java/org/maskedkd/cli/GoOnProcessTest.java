package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A coordinator that is started while the one before it has not ended. */
@ExtendWith(SharedStages.Extension.class)
class GoOnProcessTest {
  @Test
  void goOn_theRunIsInUse_waitsUntilItIsNot(SharedStages stages) throws Exception {
    Path directory = stages.runs().resolve("in-use");
    Files.createDirectories(directory);
    TinyRun run;
    try (FileChannel other =
        FileChannel.open(
            directory.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      other.lock();
      run = stages.run("in-use", 1, "--go-on", "--max-steps=2");
      run.process().awaitText("is in use by another coordinator; waiting");
      assertThat(run.steps()).isEmpty();
    }

    run.endsWith(0);
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(2));
  }
}
