package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.maskedkd.cli.TinyRun.named;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.VisionTransformer;

/**
 * What is learned depends neither on how a batch is cut nor on how many teachers there are, nor on
 * whether a run that goes on has other ones than it had.
 */
@ExtendWith(SharedStages.Extension.class)
class ExactnessProcessTest {
  private static final int STEPS = 2 * TinyRun.STEPS_PER_EPOCH;

  /**
   * Largest difference of a weight in units of the farthest that a weight of its tensor moved: ten
   * times what the gradients agree within, because each step builds on the ones before.
   */
  private static final double BOUND = 1e-4;

  @TempDir private Path folder;

  /**
   * With its usual epsilon AdamW divides a gradient by its own size, and rounding noise of a
   * gradient that is nearly zero would become a whole step.
   */
  private TinyRun run(
      SharedStages stages, Path init, int teachers, String sizes, int window, int steps) {
    return stages.run(
        "exact-" + teachers + "-" + steps,
        teachers,
        "--max-steps=" + steps,
        "student.init=" + init,
        "optimizer.epsilon=1.0",
        "optimizer.learning-rate=0.2",
        "optimizer.warmup-epochs=0",
        "optimizer.clip-norm=5",
        "augmentation.mixup=0.8",
        "student.drop-path=0.3",
        // What is compared within an image, since no group could stay whole in all these cuts.
        "distillation.manifold.weight=0.5",
        "distillation.manifold.sample=0",
        "distillation.manifold.random=0",
        "distillation.attention.weight=0.3",
        "evaluation.every-epochs=0",
        "schedule.micro-batches=" + sizes,
        "schedule.window=" + window);
  }

  @Test
  void
      coordinator_unevenMicroBatchesAndMoreTeachersAlsoFromAResumeOn_learnsWhatOneWholeBatchTeaches(
          SharedStages stages) throws Exception {
    Path init = folder.resolve("init.safetensors");
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse(TinyRun.STUDENT), 11, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      model.save(init, SafetensorsType.F32, Map.of());
    }
    TinyRun whole = run(stages, init, 1, "1", TinyRun.BATCH, STEPS).endsWith(0);
    TinyRun two = run(stages, init, 2, "[1,5,4,2]", 5, STEPS).endsWith(0);
    TinyRun three = run(stages, init, 3, "[2,1,3,1,2,1,2]", 3, STEPS).endsWith(0);
    TinyRun half = run(stages, init, 1, "1", TinyRun.BATCH, STEPS / 2).endsWith(0);
    stages.forget();
    TinyRun resumed =
        stages
            .resume(
                half,
                3,
                "schedule.micro-batches=[3,1,4,1,3]",
                "schedule.window=4",
                "--max-steps=" + STEPS)
            .endsWith(0);

    assertThat(resumed.said()).contains("schedule.micro-batches was 1 and is now [3,1,4,1,3]");
    assertThat(whole.steps()).isEqualTo(TinyRun.firstSteps(STEPS));
    assertThat(whole.lines("metrics.jsonl"))
        .allMatch(
            line ->
                line.path("loss_manifold").asDouble() > 0
                    && line.path("loss_attention").asDouble() > 0);
    for (TinyRun cut : new TinyRun[] {two, three, resumed}) {
      assertThat(cut.steps()).isEqualTo(TinyRun.firstSteps(STEPS));
      for (int i = 0; i < STEPS; i++) {
        double expected = whole.losses().get(i);
        assertThat(cut.losses().get(i)).isCloseTo(expected, within(1e-5 * expected));
      }
      assertAgree(cut.weights(), whole.weights(), TinyRun.tensors(init));
    }
  }

  private static void assertAgree(
      Map<String, float[]> found, Map<String, float[]> expected, Map<String, float[]> before) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    for (String name : expected.keySet()) {
      double moved = distance(named(expected, name), named(before, name));
      assertThat(moved).as("movement of %s", name).isGreaterThan(1e-4);
      // Each step rounds the weight once in either run.
      double rounding = 2 * STEPS * Math.ulp(largest(named(expected, name)));
      assertThat(distance(named(found, name), named(expected, name)))
          .as("difference of %s, which moved by %s", name, moved)
          .isLessThan(BOUND * moved + rounding);
    }
  }

  private static float largest(float[] values) {
    float largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }

  private static double distance(float[] a, float[] b) {
    assertThat(a).hasSameSizeAs(b);
    double distance = 0;
    for (int i = 0; i < a.length; i++) {
      distance = Math.max(distance, Math.abs((double) a[i] - b[i]));
    }
    return distance;
  }
}
