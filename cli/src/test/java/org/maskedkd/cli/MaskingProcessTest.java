package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.VisionTransformer;

/**
 * A run whose patches a third model chooses, from all of them in the first epoch to a quarter; the
 * teacher sees larger images than the student, and merges tokens.
 */
class MaskingProcessTest {
  private static final int EPOCHS = 4;

  @TempDir private Path folder;

  private Path third(long seed) throws IOException {
    Torch.start(1);
    Path file = folder.resolve("third.safetensors");
    Files.deleteIfExists(file);
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse("vit:image=16,patch=8,width=32,depth=2,heads=2,classes=9"),
            seed,
            Precision.FP32,
            VisionTransformer.Mode.FROZEN)) {
      model.save(file, SafetensorsType.F32, Map.of());
    }
    return file;
  }

  @Test
  void train_thirdModelChooses_teachersBeginBeforeTheStudentAndKeepFollowsTheEpochs()
      throws IOException {
    String[] masking = {
      "data.train=generated:classes=3,images=48,size=32,patch=8,seed=1,split=train",
      "data.eval=generated:classes=3,images=24,size=32,patch=8,seed=1,split=eval",
      "teacher.model=vit:image=24,patch=4,width=24,depth=2,heads=2,classes=3",
      "teacher.image=native",
      "teacher.merge=3",
      "masking.criterion=model",
      "masking.model=auto",
      "masking.weights=" + third(1),
      "masking.keep=1",
      "masking.keep-end=0.25",
      "masking.random-share=0.25",
      "schedule.epochs=" + EPOCHS,
      // Possible since nothing waits for the student's attention.
      "schedule.order=concurrent-full",
    };
    TinyRun run = TinyRun.train(folder, "third", masking).endsWith(0);

    assertThat(run.said()).contains("masking.model: ", "says that it is vit:image=16x16,patch=8");
    List<Double> keep =
        run.lines("plans.jsonl").stream().map(plan -> plan.path("keep").asDouble()).toList();
    assertThat(keep)
        .isEqualTo(
            IntStream.range(0, EPOCHS * TinyRun.STEPS_PER_EPOCH)
                .mapToObj(step -> 1 - 0.25 * (step / TinyRun.STEPS_PER_EPOCH))
                .toList());

    // Another third model would choose other patches.
    third(2);
    TinyRun other = run.trainOn("schedule.epochs=" + (EPOCHS + 1)).endsWith(78);
    assertThat(other.said()).contains("masking_weights");
  }
}
