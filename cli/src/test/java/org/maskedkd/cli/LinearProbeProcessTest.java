package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.VisionTransformer;

/** A masked distillation that trains nothing of the student but its classifier. */
class LinearProbeProcessTest {
  @TempDir private Path folder;

  @Test
  void train_headAlone_leavesTheFeaturesBitForBitAlsoAfterAResume() throws IOException {
    Torch.start(1);
    Path features = folder.resolve("features.safetensors");
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse(TinyRun.STUDENT), 5, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      model.save(features, SafetensorsType.F32, Map.of());
    }
    String[] probe = {
      "student.train=head",
      "student.init=" + features,
      "student.drop-path=0",
      "ema.decay=0.9",
      "optimizer.warmup-epochs=0",
    };
    String[] first = Arrays.copyOf(probe, probe.length + 2);
    first[probe.length] = "--max-steps";
    first[probe.length + 1] = "5";
    TinyRun run = TinyRun.train(folder, "probe", first).endsWith(0).trainOn().endsWith(0);

    try (SafetensorsFile before = SafetensorsFile.open(features);
        SafetensorsFile after = SafetensorsFile.open(run.path().resolve("student.safetensors"))) {
      assertThat(after.names()).isEqualTo(before.names());
      for (String name : before.names()) {
        if (name.startsWith("head.")) {
          assertThat(after.readFloats(name)).as(name).isNotEqualTo(before.readFloats(name));
        } else {
          assertThat(after.readFloats(name)).as(name).isEqualTo(before.readFloats(name));
        }
      }
    }
    assertThat(run.lines("metrics.jsonl")).hasSize(2 * TinyRun.STEPS_PER_EPOCH);
  }
}
