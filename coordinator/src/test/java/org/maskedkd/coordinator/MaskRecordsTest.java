package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.runtime.ExitCode;

/** What a run writes down of the masks, with the toy's students and teachers. */
@Timeout(60)
class MaskRecordsTest {

  @TempDir Path dir;
  @TempDir Path other;

  private static List<List<Integer>> kept(int images, double keep) {
    return IntStream.range(0, images)
        .mapToObj(i -> Arrays.stream(Toy.kept(Toy.image(0, i), keep)).boxed().toList())
        .toList();
  }

  private static List<MaskLine> masks(Path directory) {
    try (RunDirectory opened = RunDirectory.resume(directory)) {
      return opened.masks();
    }
  }

  @Test
  void train_masked_recordsTheFirstImagesBeforeTrainingAndAtEachEvaluation() throws IOException {
    try (House house = new House(dir, 1)) {
      house.train("report.images=5", "masking.keep=0.5", "masking.keep-end=0.25");
    }

    assertThat(masks(dir))
        .containsExactly(
            new MaskLine(0, null, 0.5, 2, 2, kept(5, 0.5)),
            new MaskLine(4, 0, 0.5, 2, 2, kept(5, 0.5)),
            new MaskLine(8, 1, 0.25, 2, 2, kept(5, 0.25)));
    BufferedImage picture = ImageIO.read(dir.resolve("masks.png").toFile());
    assertThat(picture.getWidth()).isEqualTo(5 * 4);
    assertThat(picture.getHeight()).isEqualTo(4);
    for (int i = 0; i < 5; i++) {
      byte[] image = Toy.image(0, i);
      for (int p = 0; p < Toy.PIXELS; p++) {
        // Patch by patch, and in a patch row by row.
        int y = p / 8 * 2 + p % 4 / 2;
        int x = p / 4 % 2 * 2 + p % 2;
        int grey = image[p] & 0xFF;
        assertThat(picture.getRGB(4 * i + x, y) & 0xFFFFFF)
            .isEqualTo(grey << 16 | grey << 8 | grey);
      }
    }
  }

  @Test
  void train_teacherSeesAllOrNoImagesWantedOrNoTeacher_recordsNothing() {
    for (String none : List.of("masking.keep=1", "masking.who=student", "report.images=0")) {
      Path run = dir.resolve(none);
      try (House house = new House(run, 1)) {
        assertThat(house.train(none)).isEqualTo(ExitCode.DONE);
      }
      assertThat(run.resolve("masks.jsonl")).doesNotExist();
      assertThat(run.resolve("masks.png")).doesNotExist();
    }
    try (House house = new House(other, 0)) {
      assertThat(house.train()).isEqualTo(ExitCode.DONE);
    }
    assertThat(other.resolve("masks.jsonl")).doesNotExist();
  }

  @Test
  void train_studentLostBetweenEvaluations_leavesTheSameRecordAndWeights() throws IOException {
    try (House house = new House(dir, 1);
        House reference = new House(other, 1)) {
      AtomicInteger kills = new AtomicInteger();
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 7 && kills.getAndIncrement() == 0) {
              throw house.student.die();
            }
          };
      assertThat(house.train()).isEqualTo(ExitCode.DONE);
      assertThat(reference.train("report.images=8")).isEqualTo(ExitCode.DONE);

      assertThat(house.student.weights).isDeepEqualTo(reference.student.weights);
      assertThat(dir.resolve("masks.jsonl")).hasSameBinaryContentAs(other.resolve("masks.jsonl"));
      assertThat(dir.resolve("masks.png")).hasSameBinaryContentAs(other.resolve("masks.png"));
    }
  }

  @Test
  void resume_fromAnEarlierStep_cutsTheRecordBack() throws IOException {
    try (House house = new House(dir, 1)) {
      house.train();
      byte[] whole = Files.readAllBytes(dir.resolve("masks.jsonl"));
      house.disk.checkpoints.tailMap(5L).clear();
      Files.delete(dir.resolve("masks.png"));
      house.restartStudent();

      assertThat(house.resume()).isEqualTo(ExitCode.DONE);

      assertThat(dir.resolve("masks.jsonl")).hasBinaryContent(whole);
      assertThat(dir.resolve("masks.png")).isNotEmptyFile();
    }
  }

  @Test
  void resume_otherNumberOfImages_goesOnWithTheFirstOrNone() throws IOException {
    try (House house = new House(dir, 1)) {
      house.train("schedule.epochs=1", "report.images=5");
      byte[] picture = Files.readAllBytes(dir.resolve("masks.png"));

      assertThat(house.resume("schedule.epochs=2", "report.images=9")).isEqualTo(ExitCode.DONE);
      assertThat(masks(dir)).hasSize(3).allMatch(line -> line.kept().size() == 5);
      assertThat(dir.resolve("masks.png")).hasBinaryContent(picture);

      assertThat(house.resume("schedule.epochs=3", "report.images=0")).isEqualTo(ExitCode.DONE);
      assertThat(masks(dir)).hasSize(3);
    }
  }

  @Test
  void toPng_imagesAboveTheLargestSide_areAveragedDown() throws IOException {
    Grid grid =
        Grid.newBuilder()
            .setImageHeight(448)
            .setImageWidth(448)
            .setPatch(224)
            .setChannels(3)
            .build();
    ByteBuffer patches = ByteBuffer.allocate(3 * 448 * 448);
    // The first patch's red plane: 10, 20 in turn.
    for (int i = 0; i < 224 * 224; i++) {
      patches.put(i, (byte) (i % 2 == 0 ? 10 : 20));
    }
    byte[] png =
        new MaskImages(grid)
            .toPng(List.of(new MaskRecords.Sample(new int[] {0, 1, 2, 3}, patches)));

    BufferedImage picture = ImageIO.read(new java.io.ByteArrayInputStream(png));
    assertThat(picture.getWidth()).isEqualTo(224);
    assertThat(picture.getRGB(3, 3) & 0xFFFFFF).isEqualTo(15 << 16);
    assertThat(picture.getRGB(200, 3) & 0xFFFFFF).isZero();
  }
}
