package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.maskedkd.cli.TinyRun.named;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Signals and deaths in the midst of a run. */
@ExtendWith(SharedStages.Extension.class)
class StopProcessTest {
  @TempDir private Path folder;

  private TinyRun start(String... arguments) {
    return TinyRun.train(folder, "stopped", arguments).awaitSteps(3);
  }

  private static void assertSame(Map<String, float[]> found, Map<String, float[]> expected) {
    assertThat(found).containsOnlyKeys(expected.keySet());
    expected.forEach((name, values) -> assertThat(found.get(name)).as(name).isEqualTo(values));
  }

  @Test
  void train_interrupted_exits130WithACheckpointFromWhichItGoesOnToTheSameBits(
      SharedStages stages) {
    TinyRun run = start(TinyRun.LONG);
    try (MaskedKdProcess process = run.process()) {
      // Ctrl-C in a terminal reaches the stages too.
      run.stages().values().forEach(MaskedKdProcess::interrupt);
      process.interrupt();
      process.endsWith(130);
    }

    int step = run.steps().size();
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(step));
    assertThat(run.checkpoints()).endsWith((long) step);
    assertThat(run.said())
        .contains("stopped after step " + step + " with a checkpoint; go on with --resume");
    assertThat(run.stages()).containsOnlyKeys("student", "teacher-0");
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);

    int last = step + 3;
    TinyRun resumed = run.trainOn("--max-steps=" + last).endsWith(0);
    assertThat(resumed.said()).contains("going on after step " + step);
    assertThat(resumed.steps()).isEqualTo(TinyRun.firstSteps(last));
    TinyRun straight =
        stages.run("never-stopped", 1, with(TinyRun.LONG, "--max-steps=" + last)).endsWith(0);
    assertThat(resumed.losses()).isEqualTo(straight.losses());
    assertSame(resumed.weights(), straight.weights());
  }

  @Test
  void train_terminatedWithAllOfItsGroup_exits143WithACheckpoint() {
    TinyRun run = start(TinyRun.LONG);
    try (MaskedKdProcess process = run.process()) {
      // A service manager and a batch system signal every process of a service or a job.
      run.stages().values().forEach(MaskedKdProcess::terminate);
      process.terminate();
      process.endsWith(143);
    }
    int step = run.steps().size();
    assertThat(run.checkpoints()).endsWith((long) step);
    assertThat(run.said())
        .contains("stopped after step " + step + " with a checkpoint")
        .doesNotContain("is started again");
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);
  }

  @Test
  void coordinator_terminated_exits143WithACheckpointAndLeavesTheStagesServing(
      SharedStages stages) {
    TinyRun run = stages.run("terminated", 1, TinyRun.LONG).awaitSteps(3);
    try (MaskedKdProcess process = run.process()) {
      process.terminate();
      process.endsWith(143);
    }
    assertThat(run.checkpoints()).endsWith((long) run.steps().size());
    assertThat(stages.studentProcess().isAlive()).isTrue();
    assertThat(stages.teacherProcess().isAlive()).isTrue();
  }

  @Test
  void coordinator_terminatedWhileItsTeacherStalls_exits143WithACheckpointOfTheLastCommittedStep(
      SharedStages stages) {
    TinyRun run = stages.run("stalled", 1, with(TinyRun.LONG, "--grace-seconds=8")).awaitSteps(3);
    MaskedKdProcess.freeze(stages.teacherProcess().pid());
    try (MaskedKdProcess process = run.process()) {
      process.terminate();
      process.endsWith(143);
    } finally {
      MaskedKdProcess.thaw(stages.teacherProcess().pid());
    }
    int step = run.steps().size();
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(step));
    assertThat(run.checkpoints()).endsWith((long) step);
    assertThat(run.said())
        .contains("is given up")
        .contains("stopped after step " + step + " with a checkpoint; go on with --resume");

    TinyRun resumed = stages.resume(run, 1, "--max-steps=" + (step + 2)).endsWith(0);
    assertThat(resumed.steps()).isEqualTo(TinyRun.firstSteps(step + 2));
  }

  @Test
  void studentStage_terminatedWithoutARun_exits143AtOnce() {
    try (MaskedKdProcess process =
        MaskedKdProcess.start(folder, "student-stage", "--listen=127.0.0.1:0")) {
      process.awaitText("listening");
      process.terminate();
      process.endsWith(143);
    }
  }

  @Test
  void train_interruptedWhileStagesStart_exits130AndLeavesNoProcess() {
    TinyRun run = TinyRun.train(folder, "early", TinyRun.LONG);
    try (MaskedKdProcess process = run.process()) {
      await("two stages of " + process)
          .atMost(MaskedKdProcess.PATIENCE)
          .pollInterval(Duration.ofMillis(10))
          .until(() -> run.stages().size() == 2);
      process.interrupt();
      process.endsWith(130);
    }
    assertThat(run.said()).contains("stopped before the first step");
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);
    assertThat(run.path().resolve("plans.jsonl")).doesNotExist();
  }

  @Test
  void train_interruptedTwice_endsAtOnceAndTheStagesWithIt() {
    TinyRun run = start(TinyRun.LONG);
    try (MaskedKdProcess process = run.process()) {
      long teacher = named(run.stages(), "teacher-0");
      // Without its teacher no step ends, and no stop can be a clean one.
      MaskedKdProcess.freeze(teacher);
      try {
        process.interrupt();
        process.awaitText("once more to end at once");
        process.interrupt();
        process.endsWith(130);
        assertThat(run.said()).doesNotContain("stopped after step");
        assertThat(run.checkpoints()).isEmpty();
      } finally {
        MaskedKdProcess.thaw(teacher);
      }
      MaskedKdProcess.awaitEndOf(run.stages().values());
    }
  }

  @Test
  void train_killed_stagesEndByThemselves() {
    TinyRun run = start(TinyRun.LONG);
    try (MaskedKdProcess process = run.process()) {
      assertThat(run.stages().values()).hasSize(2).allMatch(MaskedKdProcess::isAlive);
      process.kill();
      process.endsWith(128 + 9);
      MaskedKdProcess.awaitEndOf(run.stages().values());
    }
  }

  @Test
  void train_oneOfTwoTeachersKilled_doesEveryStepOnceToTheSameBits(SharedStages stages) {
    int steps = 150;
    String[] arguments = with(TinyRun.LONG, "--max-steps=" + steps);
    TinyRun run = start(with(arguments, "teacher.replicas=2"));
    try (MaskedKdProcess process = run.process()) {
      int before = run.steps().size();
      MaskedKdProcess.kill(named(run.stages(), "teacher-1"));
      process.endsWith(0);
      assertThat(before).isLessThan(steps);
    }
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(steps));
    assertThat(new HashSet<>(ready(run))).contains(1, 2);
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);

    TinyRun unharmed = stages.run("unharmed", 1, arguments).endsWith(0);
    assertThat(run.losses()).isEqualTo(unharmed.losses());
    assertSame(run.weights(), unharmed.weights());
  }

  /** How many teachers each step had. */
  private static List<Integer> ready(TinyRun run) {
    return run.lines("metrics.jsonl").stream().map(line -> line.get("teachers").asInt()).toList();
  }

  private static String[] with(String[] first, String... more) {
    String[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }
}
