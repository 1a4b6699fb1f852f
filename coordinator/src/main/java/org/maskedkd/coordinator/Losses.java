package org.maskedkd.coordinator;

import java.nio.file.Path;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * Counts how often the student was lost. A process that dies once is a fault of its surroundings;
 * one that dies again and again before the run gets any further has one of its own.
 */
final class Losses {

  private static final int MOST_WITHOUT_PROGRESS = 5;

  private final RunDirectory directory;
  private long furthest = -1;
  private int withoutProgress;

  Losses(RunDirectory directory) {
    this.directory = directory;
  }

  /**
   * Takes one more.
   *
   * @throws RunException with {@link ExitCode#PEER_AWAY} when there is no use in trying again
   */
  void add(StudentLostException lost) {
    long step = directory.lastStep();
    withoutProgress = step > furthest ? 1 : withoutProgress + 1;
    furthest = Math.max(furthest, step);
    if (withoutProgress == MOST_WITHOUT_PROGRESS) {
      throw new RunException(
          ExitCode.PEER_AWAY,
          "the student was lost "
              + withoutProgress
              + " times before step "
              + (furthest + 1)
              + " was done; the last time: "
              + lost.getMessage()
              + wayOut(),
          lost);
    }
  }

  /** What to do when the run ends without the student. */
  String wayOut() {
    Path checkpoints = directory.path().resolve("checkpoints");
    return "; go on with --resume from the newest checkpoint in " + checkpoints;
  }
}
