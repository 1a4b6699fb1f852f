package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.vit.SafetensorsFile;

/** A student of another architecture than its teacher's: one with windows. */
class SwinStudentProcessTest {
  /** Its last grid is of 8x8 places, the teacher's of 4x4. */
  private static final String SWIN =
      "swin:image=16,patch=1,width=8,depths=1/2,heads=1/2,window=4,classes=3";

  private static final String EVAL =
      "generated:classes=3,images=24,size=16,patch=4,seed=1,split=eval";

  @TempDir private Path folder;

  @Test
  void train_swinStudent_masksItsTeacherAndItsWeightsAreTakenByEveryCommand() {
    TinyRun run =
        TinyRun.train(
                folder,
                "swin",
                "student.model=" + SWIN,
                "student.precision=bf16",
                "masking.keep=0.25",
                "schedule.epochs=1")
            .endsWith(0);
    assertThat(run.lines("metrics.jsonl")).hasSize(TinyRun.STEPS_PER_EPOCH);
    assertThat(run.losses()).allMatch(Double::isFinite);
    Path weights = run.path().resolve("student.safetensors");
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      assertThat(file.names())
          .contains("layers.1.downsample.reduction.weight", "head.fc.weight")
          .noneMatch(name -> name.startsWith("blocks."));
    }

    Run whole = Run.of("evaluate", "--weights", weights.toString(), "--data", EVAL, "--json");
    assertThat(whole.exit()).isZero();
    assertThat(whole.out()).contains("\"images\":24");
    Run masked =
        Run.of("evaluate", "--weights", weights.toString(), "--data", EVAL, "--keep", "0.5");
    assertThat(masked.exit()).isEqualTo(64);
    assertThat(masked.err()).contains("--keep", "windows", "need every patch");
  }
}
