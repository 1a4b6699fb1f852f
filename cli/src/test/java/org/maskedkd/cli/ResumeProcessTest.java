package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

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
  void resume_runStoppedHalfway_isBitIdenticalToTheStraightRun() {
    TinyRun run = stages.resume(half("resumed"), 1).endsWith(0);

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

  @Test
  void resume_otherMicroBatches_isAcceptedAndOtherBatchRefusedNamingBoth() {
    TinyRun run = half("cut-otherwise");

    TinyRun refused = stages.resume(run, 1, "schedule.batch=8").endsWith(64);
    assertThat(refused.said()).contains("schedule.batch was 12 and is now 8");

    run = stages.resume(run, 1, "schedule.micro-batches=[5,7]").endsWith(0);
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
}
