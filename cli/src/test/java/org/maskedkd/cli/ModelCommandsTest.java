package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.data.GeneratedImages;
import org.maskedkd.data.GeneratedSpec;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.VisionTransformer;

class ModelCommandsTest {
  private static final String SPEC =
      "generated:classes=4,images=12,size=32,patch=4,seed=1,split=train";
  @TempDir Path folder;
  private Path weights = Path.of("");
  private Path images = Path.of("");

  @BeforeEach
  void makeModelAndImages() throws Exception {
    Torch.start(1);
    weights = folder.resolve("w.safetensors");
    images = folder.resolve("images");
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse("vit:image=32,patch=4,width=32,depth=2,heads=2,classes=4"),
            7,
            Precision.FP32,
            VisionTransformer.Mode.FROZEN)) {
      model.save(weights, SafetensorsType.F32, Map.of());
    }
    try (GeneratedImages generated = new GeneratedImages(GeneratedSpec.parse(SPEC))) {
      generated.writeTo(images);
    }
  }

  private float[] predict(Path from, Path out) {
    Run run =
        Run.of(
            "predict",
            "--weights",
            weights.toString(),
            "--images",
            from.toString(),
            "--keep",
            "0.25",
            "--out",
            out.toString(),
            "--batch",
            "5");
    assertThat(run.err()).isEmpty();
    assertThat(run.exit()).isZero();
    try (SafetensorsFile file = SafetensorsFile.open(out)) {
      return file.readFloats("logits");
    }
  }

  @Test
  void predict_folder_keepsTheMostSalientPatchesOfEachImage() {
    Path out = folder.resolve("out.safetensors");
    predict(images, out);
    try (SafetensorsFile file = SafetensorsFile.open(out)) {
      assertThat(file.shape("logits")).containsExactly(12, 4);
      assertThat(file.shape("saliency")).containsExactly(12, 64);
      assertThat(file.shape("kept")).containsExactly(12, 16);
      assertThat(file.type("kept")).isEqualTo(SafetensorsType.I64);
      float[] saliency = file.readFloats("saliency");
      long[] kept = file.readLongs("kept");
      for (int image = 0; image < 12; image++) {
        int from = image * 64;
        long[] best =
            IntStream.range(0, 64)
                .boxed()
                .sorted(Comparator.comparing((Integer i) -> -saliency[from + i]))
                .limit(16)
                .mapToLong(i -> i)
                .sorted()
                .toArray();
        assertThat(Arrays.copyOfRange(kept, image * 16, image * 16 + 16)).isEqualTo(best);
      }
    }
  }

  @Test
  void predict_flatFolder_givesTheSameLogitsAsItsClassFolder() throws Exception {
    Path oneClass;
    try (Stream<Path> classes = Files.list(images)) {
      oneClass = classes.sorted().findFirst().orElseThrow();
    }
    float[] all = predict(images, folder.resolve("all.safetensors"));
    float[] flat = predict(oneClass, folder.resolve("flat.safetensors"));
    assertThat(flat).hasSizeGreaterThan(0);
    for (int i = 0; i < flat.length; i++) {
      assertThat(flat[i]).isCloseTo(all[i], Offset.offset(1e-5f));
    }
  }

  @Test
  void evaluate_generatedAndItsFiles_agree() {
    Run generated = Run.of("evaluate", "--weights", weights.toString(), "--data", SPEC, "--json");
    Run files =
        Run.of("evaluate", "--weights", weights.toString(), "--data", images.toString(), "--json");
    assertThat(generated.exit()).isZero();
    assertThat(generated.out()).contains("\"images\":12").isEqualTo(files.out());
  }

  @Test
  void evaluate_keepEverything_isTheUnmaskedAccuracy() {
    Run whole = Run.of("evaluate", "--weights", weights.toString(), "--data", SPEC);
    Run kept = Run.of("evaluate", "--weights", weights.toString(), "--data", SPEC, "--keep", "1");
    assertThat(kept.out()).startsWith("top-1 ").isEqualTo(whole.out());
  }

  @Test
  void evaluate_otherClasses_exits65WithBothCounts() {
    Run run =
        Run.of(
            "evaluate",
            "--weights",
            weights.toString(),
            "--data",
            SPEC.replace("classes=4", "classes=6"));
    assertThat(run.exit()).isEqualTo(65);
    assertThat(run.err()).contains("has 6 classes").contains("model has 4");
  }

  @Test
  void export_halfPrecision_isTheRoundedWeights() {
    Path out = folder.resolve("half.safetensors");
    Run run =
        Run.of(
            "export",
            "--checkpoint",
            weights.toString(),
            "--out",
            out.toString(),
            "--dtype",
            "bf16");
    assertThat(run.exit()).isZero();
    try (SafetensorsFile exact = SafetensorsFile.open(weights);
        SafetensorsFile half = SafetensorsFile.open(out)) {
      assertThat(half.names()).isEqualTo(exact.names());
      assertThat(half.metadata()).isEqualTo(exact.metadata());
      assertThat(half.type("head.weight")).isEqualTo(SafetensorsType.BF16);
      float[] e = exact.readFloats("head.weight");
      float[] h = half.readFloats("head.weight");
      for (int i = 0; i < e.length; i++) {
        // Eight bits of significand: half a unit in the last place.
        assertThat((double) Math.abs(h[i] - e[i]))
            .isLessThanOrEqualTo(Math.abs(e[i]) / 256 + 1e-38);
      }
    }
  }

  @Test
  void commands_missingWeights_exit65() {
    Run run = Run.of("export", "--checkpoint", folder.resolve("none").toString(), "--out", "x");
    assertThat(run.exit()).isEqualTo(65);
    assertThat(run.err()).contains("no sound checkpoint");
  }
}
