package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run whose disk is full loses no checkpoint that it has. */
@ExtendWith(SharedStages.Extension.class)
class FullDiskProcessTest {
  private static final Path FULL = Path.of("/dev/full");

  @ParameterizedTest
  @ValueSource(strings = {"plans.jsonl", "metrics.jsonl"})
  void coordinator_noRoomForItsRecords_exits73NamingTheFile(String file, SharedStages stages)
      throws IOException {
    assumeThat(FULL).as("a device that is always full").exists();
    Path record = stages.runs().resolve("no-room-for-" + file).resolve(file);
    Files.createDirectories(record.resolveSibling(""));
    Files.createSymbolicLink(record, FULL);

    TinyRun run = stages.run("no-room-for-" + file, 1).endsWith(73);

    assertThat(run.said())
        .contains("cannot write " + record)
        .contains("No space left on device")
        .contains("see that the disk has room");
  }

  /** Needs no rights, unlike a small disk. */
  @Test
  void coordinator_noCheckpointCanBeWritten_warnsEachTimeAndTrainsToTheEnd(SharedStages stages)
      throws IOException {
    Path run = Files.createDirectories(stages.runs().resolve("no-checkpoints"));
    Files.createFile(run.resolve("checkpoints"));

    TinyRun ended = stages.run("no-checkpoints", 1).endsWith(0);

    assertThat(ended.said())
        .contains("WARNING: no checkpoint of step " + TinyRun.STEPS_PER_EPOCH + ": ")
        .contains("WARNING: no checkpoint of step " + 2 * TinyRun.STEPS_PER_EPOCH + ": ");
    assertThat(ended.steps()).isEqualTo(TinyRun.firstSteps(2 * TinyRun.STEPS_PER_EPOCH));
    assertThat(run.resolve("student.safetensors")).isNotEmptyFile();
  }

  @Test
  void coordinator_noRoomForACheckpoint_warnsGoesOnAndKeepsTheOneBefore(SharedStages stages)
      throws Exception {
    Path checkpoints = Files.createDirectories(stages.runs().resolve("cramped/checkpoints"));
    assumeThat(system("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", checkpoints.toString()))
        .as("exit code of mounting a small file system")
        .isZero();
    try {
      int half = TinyRun.STEPS_PER_EPOCH;
      TinyRun run = stages.run("cramped", 1, "--max-steps=" + half).endsWith(0);
      assertThat(run.checkpoints()).containsExactly((long) half);
      fill(checkpoints);
      stages.forget();

      run = stages.resume(run, 1).endsWith(0);

      int steps = 2 * half;
      assertThat(run.said())
          .contains("going on after step " + half)
          .contains("no checkpoint of step " + steps)
          .contains("No space left on device");
      assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(steps));
      assertThat(run.path().resolve("student.safetensors")).isNotEmptyFile();
      assertThat(run.checkpoints()).containsExactly((long) half);
      stages.forget();
      TinyRun again = stages.resume(run, 1, "--max-steps=" + half).endsWith(0);
      assertThat(again.said()).contains("going on after step " + half);
    } finally {
      assertThat(system("umount", "-l", checkpoints.toString())).isZero();
    }
  }

  /** Leaves room for a few small files, but not for a checkpoint's tensors. */
  private static void fill(Path folder) throws IOException {
    FileStore store = Files.getFileStore(folder);
    int free = Math.toIntExact(store.getUsableSpace());
    Files.write(folder.resolve("filler"), new byte[free - (16 << 10)]);
  }

  private static int system(String... command) throws IOException, InterruptedException {
    try {
      return new ProcessBuilder(command)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .redirectError(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor();
    } catch (IOException notThere) {
      assumeThat(notThere).as("starting %s", command[0]).isNull();
      throw notThere;
    }
  }
}
