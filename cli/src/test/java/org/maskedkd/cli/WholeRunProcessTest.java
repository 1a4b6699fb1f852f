package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.maskedkd.cli.TinyRun.named;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.data.GeneratedImages;
import org.maskedkd.data.GeneratedSpec;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.VisionTransformer;
import org.w3c.dom.Document;

/**
 * One distillation from a folder of images with three processes, and every command that takes its
 * weights.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WholeRunProcessTest {
  private static final int EPOCHS = 3;
  private static final int EVAL_IMAGES = 24;
  private static final int PATCHES = 16;
  private static final int KEPT = 8;

  private final Path folder;
  private final TinyRun run;

  WholeRunProcessTest(@TempDir Path folder) {
    this.folder = folder;
    images("train", TinyRun.STEPS_PER_EPOCH * TinyRun.BATCH);
    images("eval", EVAL_IMAGES);
    run =
        TinyRun.train(
            folder,
            "whole",
            "data.root=" + folder,
            "data.train=train",
            "data.eval=eval",
            "schedule.epochs=" + EPOCHS,
            "ema.decay=0.9");
  }

  @BeforeAll
  void awaitRun() {
    run.endsWith(0);
  }

  private final void images(String split, int count) {
    GeneratedSpec spec = new GeneratedSpec(3, count, 16, 4, 1, split);
    try (GeneratedImages images = new GeneratedImages(spec)) {
      images.writeTo(folder.resolve(split));
    }
  }

  private String weights() {
    return run.path().resolve("student.safetensors").toString();
  }

  @Test
  void train_threeProcesses_leavesTheFilesOfARunDirectory() {
    assertThat(List.of("config.yaml", "plans.jsonl", "metrics.jsonl", "epochs.jsonl"))
        .allSatisfy(file -> assertThat(run.path().resolve(file)).isNotEmptyFile());
    assertThat(List.of("student.safetensors", "student-best.safetensors"))
        .allSatisfy(file -> assertThat(run.path().resolve(file)).isNotEmptyFile());
    // The last two, which is the default of checkpoint.keep, and that of the best evaluation.
    long last = (long) EPOCHS * TinyRun.STEPS_PER_EPOCH;
    TreeSet<Long> kept = new TreeSet<>(List.of(last - TinyRun.STEPS_PER_EPOCH, last));
    run.lines("epochs.jsonl").stream()
        .filter(line -> line.get("best").asBoolean())
        .mapToLong(line -> line.get("step").asLong())
        .max()
        .ifPresent(kept::add);
    assertThat(run.checkpoints()).containsExactlyElementsOf(kept);
    assertThat(List.of("coordinator.log", "student.log", "teacher-0.log"))
        .allSatisfy(file -> assertThat(run.path().resolve("logs").resolve(file)).isNotEmptyFile());
  }

  @Test
  void train_threeProcesses_recordsEveryStepAndEpochOnce() {
    int steps = EPOCHS * TinyRun.STEPS_PER_EPOCH;
    assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(steps));
    assertThat(run.lines("metrics.jsonl"))
        .allSatisfy(
            line -> {
              assertThat(line.get("images").asInt()).isEqualTo(TinyRun.BATCH);
              assertThat(line.get("loss").asDouble()).isFinite().isPositive();
              assertThat(line.get("loss_distillation").asDouble()).isFinite().isPositive();
              assertThat(line.get("gradient_norm").asDouble()).isFinite().isPositive();
            });
    assertThat(run.lines("plans.jsonl").stream().map(line -> line.get("step").asLong()))
        .isEqualTo(TinyRun.firstSteps(steps));
    List<JsonNode> epochs = run.lines("epochs.jsonl");
    assertThat(epochs.stream().map(line -> line.get("epoch").asInt())).containsExactly(0, 1, 2);
    assertThat(epochs.stream().map(line -> line.get("step").asInt())).containsExactly(4, 8, 12);
    assertThat(epochs)
        .allSatisfy(line -> assertThat(line.get("images").asInt()).isEqualTo(EVAL_IMAGES));
  }

  @Test
  void train_threeProcesses_recordsTheMasksOfEvaluationImages() throws IOException {
    List<JsonNode> masks = run.lines("masks.jsonl");
    assertThat(masks.stream().map(line -> line.get("step").asInt())).containsExactly(0, 4, 8, 12);
    assertThat(masks)
        .allSatisfy(
            line -> {
              assertThat(line.get("kept")).hasSize(8);
              line.get("kept").forEach(image -> assertThat(image).hasSize(KEPT));
            });
    BufferedImage picture = ImageIO.read(run.path().resolve("masks.png").toFile());
    List<int[]> images = new ArrayList<>();
    for (String path : paths()) {
      images.add(pixels(ImageIO.read(folder.resolve("eval").resolve(path).toFile())));
    }
    for (int i = 0; i < 8; i++) {
      assertThat(images).contains(pixels(picture.getSubimage(16 * i, 0, 16, 16)));
    }
  }

  private static int[] pixels(BufferedImage image) {
    return image.getRGB(0, 0, 16, 16, null, 0, 16);
  }

  @Test
  void train_threeProcesses_writesAReportOfItsFiles() {
    Document page = ReportedRun.parse(run.path().resolve("report.html"));

    JsonNode last = run.lines("epochs.jsonl").get(EPOCHS - 1);
    assertThat(ReportedRun.texts(page, "p", "soft").get(0))
        .isEqualTo("Finished after step 12, epoch 3 of 3.");
    assertThat(ReportedRun.texts(page, "ul", "cards").get(0))
        .contains(ReportPage.percent(last.get("top1").asDouble()), "12 steps");
    assertThat(ReportedRun.elements(page, "div", "warn")).isEmpty();
    assertThat(ReportedRun.elements(page, "img", "timeline")).hasSize(1);
    assertThat(ReportedRun.elements(page, "path", "off")).hasSize(4 * 8);
  }

  @Test
  void train_threeProcesses_timeOfEveryDeviceIsBusyOrIdleForACause() {
    assertThat(
            run.lines("metrics.jsonl").stream()
                .mapToDouble(l -> l.get("data_cpu_seconds").asDouble())
                .sum())
        .isPositive();
    for (JsonNode step : run.lines("metrics.jsonl")) {
      double wall = step.get("step_seconds").asDouble();
      // Both stages compute on one thread.
      assertThat(step.get("pipeline").get("bare_step_seconds").asDouble()).isPositive();
      double bubble = step.get("pipeline").get("bubble").asDouble();
      double imbalance = step.get("pipeline").get("imbalance").asDouble();
      JsonNode idle = step.get("pipeline").get("idle_seconds");
      double student = sum(idle.get("student"));
      double teacher = sum(idle.get("teacher-0"));
      assertThat(bubble).isBetween(0.0, 1.0);
      assertThat(wall - student)
          .isCloseTo(step.get("student_busy_seconds").asDouble(), within(1e-6));
      // The idler of the two is idle for the bubble and the imbalance.
      assertThat(Math.max(student, teacher) / wall).isCloseTo(bubble + imbalance, within(1e-6));
      assertThat(Math.min(student, teacher) / wall).isCloseTo(bubble, within(1e-6));
    }
  }

  private static double sum(JsonNode causes) {
    double sum = 0;
    for (JsonNode seconds : causes) {
      sum += seconds.asDouble();
    }
    return sum;
  }

  @Test
  void train_threeProcesses_leavesATimelineOnOneClock() throws IOException {
    JsonNode trace = new ObjectMapper().readTree(run.path().resolve("timeline.json").toFile());
    // What clocks may be wrong by against each other, in microseconds; all three share one here.
    double error = 1e6 * trace.get("otherData").get("clock_error_seconds").asDouble();
    Map<String, JsonNode> starts = new HashMap<>();
    List<JsonNode> ends = new ArrayList<>();
    for (JsonNode event : trace.get("traceEvents")) {
      switch (event.get("ph").asText()) {
        case "s" -> starts.put(event.get("id").asText(), event);
        case "f" -> ends.add(event);
        default -> {}
      }
    }
    assertThat(error).isBetween(0.0, 1e6);
    assertThat(ends).isNotEmpty().hasSameSizeAs(starts.values());
    assertThat(ends)
        .allSatisfy(
            end ->
                assertThat(end.get("ts").asDouble() + 2 * error)
                    .as("an arrow's end")
                    .isGreaterThan(
                        TinyRun.named(starts, end.get("id").asText()).get("ts").asDouble()));
    assertThat(run.path().resolve("timeline.svg")).content().startsWith("<svg");
  }

  @Test
  void train_threeProcesses_endsWithEveryProcessGone() {
    assertThat(run.stages()).containsOnlyKeys("student", "teacher-0");
    assertThat(run.stages().values()).noneMatch(MaskedKdProcess::isAlive);
  }

  @Test
  void train_finishedRun_isRefusedUnderItsNameAndPointsToResume() {
    TinyRun again = TinyRun.train(folder, "whole").endsWith(64);
    assertThat(again.said())
        .contains(run.path() + " already holds a run")
        .contains("--resume " + run.path());
    assertThat(run.steps()).hasSize(EPOCHS * TinyRun.STEPS_PER_EPOCH);
  }

  @Test
  void studentWeights_read_areTheModelOfTheConfiguration() {
    Torch.start(1);
    try (SafetensorsFile file = SafetensorsFile.open(Path.of(weights()));
        VisionTransformer model =
            VisionTransformer.load(
                ModelZoo.parse(TinyRun.STUDENT),
                Path.of(weights()),
                Precision.FP32,
                VisionTransformer.Mode.FROZEN)) {
      ModelConfig described = ModelConfig.describedIn(file).orElseThrow();
      assertThat(described.canonical()).isEqualTo(model.config().canonical());
    }
  }

  @Test
  void evaluate_runsWeights_countsWhatTheRunItselfCounted() throws IOException {
    JsonNode last = run.lines("epochs.jsonl").get(EPOCHS - 1);
    assertThat(evaluate(weights()).get("top1").asDouble())
        .isEqualTo(last.get("top1").asDouble(), within(1e-6));
  }

  private JsonNode evaluate(String file) throws IOException {
    MaskedKdProcess process =
        MaskedKdProcess.start(
                folder, "evaluate", "--weights=" + file, "--data=eval", "--threads=1", "--json")
            .endsWith(0);
    JsonNode answer =
        new ObjectMapper()
            .readTree(process.said().lines().filter(l -> l.startsWith("{")).findFirst().orElse(""));
    assertThat(answer.get("images").asInt()).isEqualTo(EVAL_IMAGES);
    return answer;
  }

  @Test
  void predict_runsWeights_writesLogitsSaliencyAndKeptInTheOrderOfPaths() throws IOException {
    Path out = folder.resolve("predicted.safetensors");
    MaskedKdProcess.start(
            folder,
            "predict",
            "--weights=" + weights(),
            "--images=eval",
            "--keep=0.5",
            "--threads=1",
            "--out=" + out)
        .endsWith(0);

    List<String> paths = paths();
    try (SafetensorsFile file = SafetensorsFile.open(out)) {
      assertThat(file.shape("logits")).containsExactly(EVAL_IMAGES, 3);
      assertThat(file.shape("saliency")).containsExactly(EVAL_IMAGES, PATCHES);
      assertThat(file.shape("kept")).containsExactly(EVAL_IMAGES, KEPT);
      assertThat(file.metadata().getOrDefault("images", "").lines()).isEqualTo(paths);
      assertMostSalient(file.readFloats("saliency"), file.readLongs("kept"));
      double right = correct(file.readFloats("logits"), paths);
      double top1 = evaluate(weights()).get("top1").asDouble();
      assertThat(right / EVAL_IMAGES).isEqualTo(top1, within(1e-6));
    }
  }

  /** The files under {@code eval}, relative to it, as a person would sort them. */
  private List<String> paths() throws IOException {
    Path root = folder.resolve("eval");
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> root.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  private static int correct(float[] logits, List<String> paths) {
    List<String> classes =
        paths.stream().map(path -> path.substring(0, path.indexOf('/'))).distinct().toList();
    int correct = 0;
    for (int i = 0; i < paths.size(); i++) {
      int best = 0;
      for (int c = 1; c < 3; c++) {
        best = logits[3 * i + c] > logits[3 * i + best] ? c : best;
      }
      correct += paths.get(i).startsWith(classes.get(best) + "/") ? 1 : 0;
    }
    return correct;
  }

  private static void assertMostSalient(float[] saliency, long[] kept) {
    for (int i = 0; i < EVAL_IMAGES; i++) {
      long[] places = Arrays.copyOfRange(kept, i * KEPT, (i + 1) * KEPT);
      assertThat(places).isSorted().doesNotHaveDuplicates();
      List<Float> chosen = new ArrayList<>();
      List<Float> left = new ArrayList<>();
      for (int p = 0; p < PATCHES; p++) {
        boolean isKept = Arrays.binarySearch(places, p) >= 0;
        (isKept ? chosen : left).add(saliency[i * PATCHES + p]);
      }
      assertThat(Collections.min(chosen)).isGreaterThanOrEqualTo(Collections.max(left));
    }
  }

  @Test
  void export_bf16OfTheRun_isRoundedOnceAndEvaluatesAlike() throws IOException {
    Path out = folder.resolve("half.safetensors");
    MaskedKdProcess.start(
            folder, "export", "--checkpoint=" + run.path(), "--dtype=bf16", "--out=" + out)
        .endsWith(0);

    Map<String, float[]> exact = run.weights();
    Map<String, float[]> half = TinyRun.tensors(out);
    assertThat(half).containsOnlyKeys(exact.keySet());
    exact.forEach(
        (name, values) -> {
          for (int i = 0; i < values.length; i++) {
            // Eight bits of significand: half a unit in the last place.
            assertThat((double) Math.abs(named(half, name)[i] - values[i]))
                .as(name)
                .isLessThanOrEqualTo(Math.abs(values[i]) / 256 + 1e-38);
          }
        });
    // An image whose two best classes are nearly equal may change sides.
    assertThat(evaluate(out.toString()).get("top1").asDouble())
        .isEqualTo(evaluate(weights()).get("top1").asDouble(), within(1.5 / EVAL_IMAGES));
  }
}
