package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.student.CheckpointManifest;
import org.maskedkd.student.CheckpointStore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds the weights that a run or a checkpoint holds. */
final class CheckpointFiles {
  private static final Logger log = LoggerFactory.getLogger(CheckpointFiles.class);

  private CheckpointFiles() {}

  /**
   * The file of weights.
   *
   * @param place a run directory (its newest sound checkpoint counts), one checkpoint, or a file
   * @param ema whether the moving average is wanted
   * @throws RunException (bad data) when there is none
   */
  static Path weights(Path place, boolean ema) {
    if (Files.isRegularFile(place)) {
      if (ema) {
        throw new RunException(
            ExitCode.USAGE,
            place + " is a file; --ema needs a run or a checkpoint directory to choose from");
      }
      return place;
    }
    String wanted = ema ? CheckpointStore.EMA : CheckpointStore.WEIGHTS;
    return checkpoint(place)
        .map(sound -> sound.directory().resolve(wanted))
        .filter(Files::exists)
        .orElseThrow(
            () ->
                new RunException(
                    ExitCode.BAD_DATA,
                    "%s holds no sound checkpoint with %s; expected a run directory with %s, or a checkpoint step-N itself%s"
                        .formatted(
                            place,
                            wanted,
                            Path.of("checkpoints", "step-N", wanted),
                            ema ? " (an average is kept only when ema.decay is above 0)" : "")));
  }

  private static Optional<CheckpointStore.Sound> checkpoint(Path place) {
    if (!Files.exists(place.resolve(CheckpointManifest.FILE))) {
      return new CheckpointStore(place.resolve("checkpoints")).newestSound(0, warning -> {});
    }
    try {
      return Optional.of(CheckpointStore.verify(place));
    } catch (IOException e) {
      log.warn("checkpoint {} is damaged: {}", place, e.getMessage());
      return Optional.empty();
    }
  }
}
