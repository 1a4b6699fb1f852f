package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.maskedkd.student.CheckpointManifest;
import org.maskedkd.student.CheckpointStore;
import org.maskedkd.vit.SafetensorsFile;

/** Runs that go on, and plans that are replayed, against one run that was never stopped. */
@ExtendWith(SharedStages.Extension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ResumeProcessTest {
  private static final int STEPS = 2 * TinyRun.STEPS_PER_EPOCH;
  private static final int HALF = STEPS / 2;

  private final SharedStages stages;
  private TinyRun straight;

  ResumeProcessTest(SharedStages stages) {
    this.stages = stages;
    this.straight = stages.run("straight", 1, "ema.decay=0.9", "checkpoint.every-steps=2");
  }

  @BeforeAll
  void awaitStraightRun() {
    straight.endsWith(0);
  }

  private TinyRun half(String name) {
    TinyRun run =
        stages
            .run(name, 1, "ema.decay=0.9", "checkpoint.every-steps=2", "--max-steps=" + HALF)
            .endsWith(0);
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(HALF));
    stages.forget();
    return run;
  }

  private void assertSameAsStraight(TinyRun run) {
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(STEPS));
    assertThat(run.losses()).isEqualTo(straight.losses());
    assertThat(run.weights()).containsOnlyKeys(straight.weights().keySet());
    straight
        .weights()
        .forEach((name, values) -> assertThat(run.weights().get(name)).as(name).isEqualTo(values));
  }

  @Test
  void resume_runStoppedHalfway_isBitIdenticalToTheStraightRun() throws IOException {
    TinyRun half = half("resumed");
    // As a student leaves them that is killed while it writes.
    Path checkpoint = half.path().resolve("checkpoints/step-6.partial");
    Path export = half.path().resolve("student-best.safetensors." + new UUID(0, 1) + ".tmp");
    Files.createDirectory(checkpoint);
    Files.createFile(checkpoint.resolve("student.safetensors"));
    Files.createFile(export);

    TinyRun run = stages.resume(half, 1).endsWith(0);

    assertThat(checkpoint).doesNotExist();
    assertThat(export).doesNotExist();
    assertThat(run.said()).contains("going on after step " + HALF);
    assertSameAsStraight(run);
    List<Integer> attempts =
        run.lines("metrics.jsonl").stream().map(line -> line.get("attempt").asInt()).toList();
    assertThat(attempts)
        .isEqualTo(IntStream.rangeClosed(1, STEPS).map(s -> s <= HALF ? 1 : 2).boxed().toList());
  }

  @Test
  void resume_newestCheckpointDamaged_warnsAndGoesOnFromTheOneBefore() throws IOException {
    TinyRun run = half("damaged");
    assertThat(run.checkpoints()).containsExactly((long) HALF - 2, (long) HALF);
    Path newest = run.path().resolve("checkpoints/step-" + HALF);
    Path damaged = newest.resolve("optimizer.safetensors");
    byte[] bytes = Files.readAllBytes(damaged);
    bytes[bytes.length / 2] ^= 1;
    Files.write(damaged, bytes, StandardOpenOption.TRUNCATE_EXISTING);

    run = stages.resume(run, 1).endsWith(0);

    assertThat(run.said())
        .contains("checkpoint " + newest + " is damaged and was passed over")
        .contains("optimizer.safetensors has SHA-256")
        .contains("going on after step " + (HALF - 2));
    assertSameAsStraight(run);
  }

  /** Of format 1, which had neither sizes nor a seal, and no provenance of the teacher. */
  @Test
  void resume_runOfTheFormatBefore_goesOnAndWritesThisOne() throws IOException {
    Path old = stages.runs().resolve("format-1");
    copy(Path.of("src/test/resources/org/maskedkd/cli/format-1"), old);
    CheckpointManifest before =
        CheckpointStore.verify(old.resolve("checkpoints/step-2")).manifest();
    assertThat(before.provenance()).containsEntry("seed", "3").doesNotContainKey("teacher_sha256");

    TinyRun run = stages.resume(old, 1).endsWith(0);

    assertThat(run.said()).contains("going on after step 2");
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(4));
    CheckpointManifest after = CheckpointStore.verify(old.resolve("checkpoints/step-4")).manifest();
    assertThat(after.provenance())
        .containsAllEntriesOf(before.provenance())
        .containsEntry("step", "4")
        .containsEntry("teacher_license", "")
        .containsKeys("config_sha256", "teacher_sha256", "protocol", "program", "java");
    assertThat(old.resolve("checkpoints/step-4/checkpoint.json.sha256")).isNotEmptyFile();
    try (SafetensorsFile weights = SafetensorsFile.open(old.resolve("student.safetensors"))) {
      assertThat(weights.metadata())
          .containsAllEntriesOf(after.provenance())
          .containsEntry("weights", "model")
          .containsEntry("image_size", "16")
          .containsEntry("eval_crop", "1.0")
          .containsEntry("mean", "0.485,0.456,0.406")
          .containsEntry("std", "0.229,0.224,0.225")
          .hasEntrySatisfying(
              "classes", names -> assertThat(names).startsWith("[\"").endsWith("\"]"));
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        Files.createDirectories(target.getParent());
        Files.copy(file, target);
      }
    }
  }

  @Test
  void resume_otherMicroBatches_isAcceptedAndOtherBatchRefusedNamingBoth() {
    TinyRun run = half("cut-otherwise");

    TinyRun refused = stages.resume(run, 1, "schedule.batch=8").endsWith(64);
    assertThat(refused.said()).contains("schedule.batch was 12 and is now 8");

    run = stages.resume(run, 1, "schedule.micro-batches=[5,7]").endsWith(0);
    assertThat(run.said())
        .contains(
            "schedule.micro-batches was 3 and is now [5,7]: the same gradients, within 1e-5 of a"
                + " tensor's largest entry");
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(STEPS));
    List<JsonNode> plans = run.lines("plans.jsonl");
    assertThat(plans.get(HALF - 1).get("micro_batch_sizes")).hasToString("[4,4,4]");
    assertThat(plans.get(HALF).get("micro_batch_sizes")).hasToString("[5,7]");
  }

  @Test
  void plans_ofAnotherRun_areReplayedToTheSameBits() {
    Path plans = straight.path().resolve("plans.jsonl");
    // The recorded sizes count, whatever the configuration says.
    TinyRun run =
        stages
            .run(
                "replayed",
                2,
                "ema.decay=0.9",
                "schedule.micro-batches=1",
                "checkpoint.every-steps=2",
                "--plans=" + plans)
            .endsWith(0);

    assertSameAsStraight(run);
  }

  @Test
  void staleMasks_runStoppedHalfwayAndPlansReplayed_areBitIdentical() {
    String[] options = {
      "schedule.stale-masks=1", "schedule.micro-batches=[6,4,2]", "optimizer.learning-rate=0.01"
    };
    TinyRun whole = stages.run("stale", 1, options).endsWith(0);
    stages.forget();
    TinyRun stopped =
        stages
            .run("stale-stopped", 1, "--max-steps=" + HALF, options[0], options[1], options[2])
            .endsWith(0);
    stages.forget();
    TinyRun resumed = stages.resume(stopped, 1).endsWith(0);
    TinyRun replayed =
        stages
            .run(
                "stale-replayed",
                2,
                options[0],
                options[2],
                "--plans=" + whole.path().resolve("plans.jsonl"))
            .endsWith(0);

    assertThat(resumed.losses()).isEqualTo(whole.losses());
    assertThat(replayed.losses()).isEqualTo(whole.losses());
    whole
        .weights()
        .forEach(
            (name, values) -> {
              assertThat(resumed.weights().get(name)).as(name).isEqualTo(values);
              assertThat(replayed.weights().get(name)).as(name).isEqualTo(values);
            });
    // One step of each epoch follows a checkpoint.
    assertThat(whole.lines("metrics.jsonl").stream().filter(l -> l.has("mask_agreement")))
        .hasSize(STEPS - 2)
        .allMatch(line -> line.get("stale_mask_fraction").asDouble() == 0.5)
        .anyMatch(line -> line.get("mask_agreement").asDouble() < 1);
    assertThat(whole.said()).contains("stale masks: 37.5 % of the images");
  }
}
