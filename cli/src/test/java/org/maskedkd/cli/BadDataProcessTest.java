package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.VisionTransformer;

/** Images and weights that cannot be used end a run with 65, and their names are told. */
@ExtendWith(SharedStages.Extension.class)
class BadDataProcessTest {
  private static final int IMAGES_PER_CLASS = 4;

  @TempDir private Path folder;

  private TinyRun supervised(SharedStages stages, String name, String... arguments) {
    String[] all = Arrays.copyOf(arguments, arguments.length + 3);
    all[arguments.length] = "distillation.kind=none";
    all[arguments.length + 1] = "schedule.epochs=1";
    all[arguments.length + 2] = "data.root=" + folder;
    return stages.run(name, 0, all);
  }

  /** Three classes of JPEG files, enough for one batch. */
  private Path jpegs() throws IOException {
    Random random = new Random(5);
    for (String label : new String[] {"ant", "bee", "cat"}) {
      Path of = Files.createDirectories(folder.resolve("images").resolve(label));
      for (int i = 0; i < IMAGES_PER_CLASS; i++) {
        BufferedImage image = new BufferedImage(24, 20, BufferedImage.TYPE_INT_RGB);
        for (int at = 0; at < 24 * 20; at++) {
          image.setRGB(at % 24, at / 24, random.nextInt(1 << 24));
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageIO.write(image, "jpg", bytes);
        Files.write(of.resolve(i + ".jpg"), bytes.toByteArray());
      }
    }
    return folder.resolve("images");
  }

  private static Path cutShort(Path jpeg) throws IOException {
    byte[] whole = Files.readAllBytes(jpeg);
    return Files.write(jpeg, Arrays.copyOf(whole, whole.length / 4));
  }

  @Test
  void coordinator_missingOrEmptyFolder_exits65NamingIt(SharedStages stages) throws IOException {
    TinyRun missing =
        supervised(stages, "missing", "data.train=nowhere", "data.eval=nowhere").endsWith(65);
    assertThat(missing.said()).contains(folder.resolve("nowhere") + " does not exist");

    Path empty = Files.createDirectory(folder.resolve("empty"));
    TinyRun nothing =
        supervised(stages, "empty", "data.train=empty", "data.eval=empty").endsWith(65);
    assertThat(nothing.said()).contains(empty + " holds no images").contains(".jpg");
  }

  @Test
  void coordinator_classFolderWithoutImages_exits65NamingIt(SharedStages stages)
      throws IOException {
    Files.createDirectory(jpegs().resolve("dog"));
    TinyRun run =
        supervised(stages, "hollow", "data.train=images", "data.eval=images").endsWith(65);
    assertThat(run.said()).contains("class folder dog of").contains("holds no images");
  }

  @Test
  void coordinator_corruptJpeg_exits65NamingItOrSkipsItWithAWarning(SharedStages stages)
      throws IOException {
    // The evaluation is of sound images.
    Path eval = folder.resolve("eval");
    Files.move(jpegs(), eval);
    Path broken = cutShort(jpegs().resolve("bee").resolve("2.jpg"));

    TinyRun failed =
        supervised(stages, "corrupt", "data.train=images", "data.eval=eval").endsWith(65);
    assertThat(failed.said()).contains(broken.toString());
    assertThat(failed.steps()).isEmpty();

    TinyRun skipped =
        supervised(stages, "skipped", "data.train=images", "data.eval=eval", "data.on-corrupt=skip")
            .endsWith(0);
    assertThat(skipped.steps()).containsExactly(1L);
    assertThat(skipped.said()).contains("WARNING: 1 training images cannot be decoded");
    stages.studentProcess().awaitText("bee/2.jpg: skipped, bee/3.jpg stands in for it");
  }

  @Test
  void coordinator_dataOfOtherClassesThanTheTeacher_exits65WithBothCounts(SharedStages stages) {
    TinyRun run =
        stages
            .run(
                "classes",
                1,
                "data.train=generated:classes=2,images=24,size=16,patch=4,split=train",
                "data.eval=generated:classes=2,images=12,size=16,patch=4,split=eval")
            .endsWith(65);
    assertThat(run.said()).contains("knows 3 classes").contains("has 2");
  }

  @Test
  void train_missingTeacherWeights_exits65NamingTheFile() {
    TinyRun run =
        TinyRun.train(folder, "weightless", "teacher.weights=no.safetensors").endsWith(65);
    assertThat(run.said())
        .contains("the teacher-0 process")
        .contains("no.safetensors: no such file");
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);
  }

  @Test
  void coordinator_weightsOfAnotherArchitecture_exits65ListingTensors(SharedStages stages)
      throws IOException {
    Torch.start(1);
    Path other = folder.resolve("other.safetensors");
    try (VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse(TinyRun.TEACHER), 1, Precision.FP32, VisionTransformer.Mode.FROZEN)) {
      model.save(other, SafetensorsType.F32, Map.of());
    }
    TinyRun run = supervised(stages, "architecture", "student.init=" + other).endsWith(65);
    assertThat(run.said())
        .contains("missing blocks.1.attn.qkv.weight")
        .contains("blocks.0.attn.qkv.weight has shape [72, 24], expected [48, 16]");
  }
}
