package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Runs in which the student is given part of its patches and the teacher all of them. */
@ExtendWith(SharedStages.Extension.class)
class StudentMaskProcessTest {
  private static final int STEPS = TinyRun.STEPS_PER_EPOCH;

  private static TinyRun run(SharedStages stages, String name, int teachers, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--max-steps=" + STEPS,
                "masking.who=student",
                // As in ExactnessProcessTest: rounding must not become whole steps.
                "optimizer.epsilon=1.0",
                "optimizer.learning-rate=0.2",
                "optimizer.warmup-epochs=0",
                "evaluation.every-epochs=0"));
    arguments.addAll(List.of(more));
    return stages.run(name, teachers, arguments.toArray(String[]::new)).endsWith(0);
  }

  @Test
  void coordinator_studentMasked_teachersNeedNotWaitAndTheChoosingForwardIsInTheTimeline(
      SharedStages stages) throws IOException {
    TinyRun whole = run(stages, "masked-whole", 1, "schedule.micro-batches=1");
    TinyRun cut =
        run(
            stages,
            "masked-cut",
            2,
            "schedule.micro-batches=[1,5,4,2]",
            "schedule.order=concurrent-full");

    assertThat(cut.losses()).hasSize(STEPS);
    for (int i = 0; i < STEPS; i++) {
      double expected = whole.losses().get(i);
      assertThat(cut.losses().get(i)).isCloseTo(expected, within(1e-5 * expected));
    }
    assertThat(choices(cut.path())).isEqualTo(4 * STEPS);

    // The label's part depends on the student alone, which has the same weights and images.
    TinyRun seeing = run(stages, "unmasked", 1, "masking.who=teacher");
    double unmasked = label(seeing);
    assertThat(label(whole)).isNotCloseTo(unmasked, within(1e-4 * unmasked));
  }

  private static double label(TinyRun run) {
    return run.lines("metrics.jsonl").get(0).get("loss_base").asDouble();
  }

  private static long choices(Path run) throws IOException {
    List<String> categories =
        new ObjectMapper()
            .readTree(Files.readString(run.resolve("timeline.json")))
            .findValuesAsText("cat");
    assertThat(categories).contains("forward", "teacher");
    return categories.stream().filter("choose"::equals).count();
  }
}
