package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.maskedkd.cli.ReportedRun.elements;
import static org.maskedkd.cli.ReportedRun.report;
import static org.maskedkd.cli.ReportedRun.texts;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.vit.Macs;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class RunReportTest {
  private static final VitConfig TEACHER = ModelZoo.parse(TinyRun.TEACHER);

  @TempDir private Path folder;

  private ReportedRun finished() {
    return ReportedRun.write(folder, "whole", 8).evaluated(0.5, 0.375).exported();
  }

  private static Stream<String> figures(Document page) {
    return elements(page, "figure", "").stream()
        .map(figure -> figure.getElementsByTagName("figcaption").item(0).getTextContent());
  }

  @Test
  void write_finishedRun_headHasTheNumbersOfItsFiles() {
    Document page = report(finished().path());

    List<String> cards = texts(page, "ul", "cards");
    // Half of 16 patches for each of 8 * 12 images.
    long full = Macs.full(TEACHER);
    long masked = Macs.masked(TEACHER, 8);
    assertThat(cards).hasSize(1);
    assertThat(cards.get(0))
        .contains("37.5 %", "± 3.4 standard error, 200 images")
        .contains("87.5 %", "best top-1 50.0 %")
        .contains("24", "8 steps in 4 s of steps")
        .contains("10.0 %", "imbalance 20.0 %")
        .contains(
            FlopsCommand.readable(masked) + "-MAC",
            FlopsCommand.readable(96.0 * masked) + "-MAC in all",
            FlopsCommand.readable(96.0 * (full - masked)) + "-MAC of",
            FlopsCommand.readable(96.0 * full) + "-MAC with all patches saved");
    assertThat(texts(page, "p", "soft").get(0)).isEqualTo("Finished after step 8, epoch 2 of 2.");
    assertThat(elements(page, "div", "warn")).isEmpty();
  }

  @Test
  void write_studentMaskedOrTokensMerged_countsWhatTheTeacherDid() {
    double full = Macs.full(TEACHER);
    assertThat(work("student", "masking.who=student").perImage()).isEqualTo(full);
    assertThat(work("both", "masking.who=both").perImage()).isEqualTo(Macs.masked(TEACHER, 8));
    // A forward of the whole image to choose, and the teacher's own.
    String[] guided = {
      "masking.who=student", "masking.criterion=teacher", "teacher.weights=teacher.safetensors"
    };
    assertThat(work("guided", guided).perImage()).isEqualTo(2 * full);
    // Of its one block only the MLP is spared three tokens of width 24: twice 24 times 96 for each.
    assertThat(work("merged", "masking.keep=1", "teacher.merge=3").perImage())
        .isEqualTo(full - 3 * 2 * 24 * 96);
  }

  private TeacherWork work(String name, String... overrides) {
    ReportedRun run = ReportedRun.write(folder, name, 4, overrides).exported();
    return TeacherWork.of(RunFiles.read(run.path())).orElseThrow();
  }

  @Test
  void write_finishedRun_hasEveryChartAndTheTimeOfEachDevice() {
    Document page = report(finished().path());

    assertThat(figures(page))
        .containsExactly(
            "Top-1 of student and teacher",
            "Loss and its parts",
            "Throughput",
            "Bubble and imbalance");
    assertThat(elements(page, "polyline", "line").stream().map(l -> l.getAttribute("data-name")))
        .containsExactly(
            "teacher with kept patches, training",
            "student, training",
            "student, evaluation",
            "total",
            "cross-entropy",
            "divergence from the teacher",
            "cross-entropy, evaluation",
            "images/s",
            "bubble",
            "imbalance");
    assertThat(texts(page, "tr", ""))
        .contains("student 70.0 % 10.0 % 20.0 %", "teacher-0 50.0 % 50.0 % 0.0 %");
  }

  @Test
  void write_innerObjectives_haveCurvesAmongTheLossesParts() throws IOException {
    ReportedRun run = finished();
    String lines = Files.readString(run.path().resolve("metrics.jsonl"));
    run.put(
        "metrics.jsonl",
        lines.replace(
            "\"loss_distillation\"",
            "\"loss_manifold\":0.25,\"loss_attention\":0.0,\"loss_distillation\""));

    Document page = report(run.path());

    assertThat(elements(page, "polyline", "line").stream().map(l -> l.getAttribute("data-name")))
        .containsSubsequence(
            "divergence from the teacher",
            "relations of patches",
            "attention of the class tokens",
            "cross-entropy, evaluation");
  }

  @Test
  void write_curve_isWhereTheFilesNumbersAre() {
    Document page = report(finished().path());

    Element line =
        elements(page, "polyline", "line").stream()
            .filter(l -> l.getAttribute("data-name").equals("student, evaluation"))
            .findFirst()
            .orElseThrow();
    Element chart = (Element) line.getParentNode();
    // Steps 1 to 8; 75 % of the teacher's images need an axis up to 80.
    assertThat(chart.getAttribute("data-range")).isEqualTo("1.0 8.0 0.0 80.0");
    assertThat(chart.getAttribute("data-box")).isEqualTo("64 506 250 12");
    assertThat(line.getAttribute("points")).isEqualTo("253.4,101.3 506,138.4");
  }

  @Test
  void write_timeline_isTheRunsOwnPicture() {
    String svg = "<svg xmlns='http://www.w3.org/2000/svg'/>";
    Document page = report(finished().put("timeline.svg", svg).path());

    String source = elements(page, "img", "timeline").get(0).getAttribute("src");
    assertThat(source).startsWith("data:image/svg+xml;base64,");
    assertThat(Base64.getDecoder().decode(source.substring(source.indexOf(',') + 1)))
        .asString(StandardCharsets.UTF_8)
        .isEqualTo(svg);
  }

  @Test
  void write_masks_greyOutWhatIsNotKept() {
    ReportedRun run = finished().put("masks.png", new byte[] {1, 2, 3});
    run.put(
        "masks.jsonl",
        """
        {"step":0,"keep":0.5,"rows":2,"columns":3,"kept":[[0,1,2],[1,4]]}
        {"step":4,"epoch":0,"keep":0.5,"rows":2,"columns":3,"kept":[[3,4,5],[0,1,2,3,4,5]]}
        """);

    Document page = report(run.path());

    assertThat(texts(page, "thead", "")).contains("image before training after epoch 1");
    assertThat(elements(page, "path", "off").stream().map(p -> p.getAttribute("d")))
        .containsExactly(
            "M0 1h3v1h-3z", "M0 0h3v1h-3z", "M0 0h1v1h-1zM2 0h1v1h-1zM0 1h1v1h-1zM2 1h1v1h-1z", "");
    // Embedded once, used by every cell: two images, each as it is and in two columns.
    assertThat(elements(page, "image", "")).hasSize(1);
    String id = elements(page, "image", "").get(0).getAttribute("id");
    assertThat(elements(page, "use", "").stream().map(u -> u.getAttribute("href")))
        .hasSize(6)
        .containsOnly("#" + id);
  }

  @Test
  void write_manyMasks_showsTheFirstTheLastAndSomeBetween() {
    ReportedRun run = finished().put("masks.png", new byte[] {1});
    StringBuilder lines =
        new StringBuilder("{\"step\":0,\"rows\":1,\"columns\":2,\"kept\":[[0]]}\n");
    for (int epoch = 0; epoch < 300; epoch++) {
      lines.append(
          "{\"step\":%d,\"epoch\":%d,\"rows\":1,\"columns\":2,\"kept\":[[1]]}%n"
              .formatted(epoch + 1, epoch));
    }
    run.put("masks.jsonl", lines.toString());

    Document page = report(run.path());

    assertThat(texts(page, "th", "").stream().filter(t -> t.matches("before.*|after.*")))
        .containsExactly(
            "before training",
            "after epoch 60",
            "after epoch 120",
            "after epoch 180",
            "after epoch 240",
            "after epoch 300");
  }

  @Test
  void write_unfinishedRun_saysSo() {
    ReportedRun run = ReportedRun.write(folder, "begun", 6).evaluated(0.5);

    Document page = report(run.path());

    assertThat(texts(page, "p", "soft").get(0))
        .startsWith("Unfinished")
        .endsWith("after step 6, epoch 2 of 2.");
    assertThat(texts(page, "ul", "cards").get(0)).contains("50.0 %");
  }

  @Test
  void write_nothingButAConfiguration_saysWhatIsMissing() throws IOException {
    ReportedRun run = ReportedRun.write(folder, "planned", 0);
    Files.delete(run.path().resolve("metrics.jsonl"));
    Files.delete(run.path().resolve("state.json"));

    Document page = report(run.path());

    assertThat(texts(page, "p", "soft").get(0)).isEqualTo("No step of this run was recorded.");
    assertThat(texts(page, "div", "warn").get(0))
        .contains("metrics.jsonl is missing", "epochs.jsonl is missing", "state.json is missing");
    assertThat(texts(page, "p", "none")).hasSize(7);
  }

  @Test
  void write_damagedFiles_leavesThemOutAndSaysSo() throws IOException {
    ReportedRun run = finished();
    List<String> lines = Files.readAllLines(run.path().resolve("metrics.jsonl"));
    lines.set(2, "{\"step\":3,\"epo");
    lines.set(5, "[6]");
    run.put("metrics.jsonl", String.join("\n", lines));
    run.put("config.yaml", "student: {modle: x}");
    run.put("state.json", "{");
    run.put("student.safetensors", "short");

    Document page = report(run.path());

    assertThat(texts(page, "div", "warn").get(0))
        .contains("metrics.jsonl: 2 of 8 lines damaged and left out, the first is line 3")
        .contains("config.yaml cannot be used", "student.modle")
        .contains("state.json is damaged", "student.safetensors");
    assertThat(texts(page, "ul", "cards").get(0)).contains("6 steps in 3 s of steps");
  }

  @Test
  void write_markupInWhatTheFilesHold_isShownAsText() {
    String evil = "<script>alert(1)</script>";
    ReportedRun run = finished();
    run.put("config.yaml", "# " + evil + "\nname: x\n\"" + evil + "\": 1\n");

    Document page = report(run.path());

    assertThat(elements(page, "script", "")).hasSize(1);
    assertThat(texts(page, "pre", "").get(0)).contains(evil);
    assertThat(texts(page, "div", "warn").get(0)).contains(evil);
    assertThat(texts(page, "td", "")).contains("0.1 <b>");
  }

  @Test
  void write_page_needsNothingElse() throws IOException {
    Path file = Report.write(finished().path(), null);

    assertThat(Files.readString(file))
        .startsWith("<!DOCTYPE html>")
        .doesNotContain(" src=\"http", "url(", "@import", "<link");
  }

  @Test
  void write_hundredThousandSteps_staysSmall() throws IOException {
    ReportedRun run = ReportedRun.write(folder, "long", 100_000).evaluated(new double[25_000]);

    Path file = Report.write(run.path(), null);

    assertThat(Files.size(file)).isLessThan(1_500_000);
    ReportedRun.parse(file);
  }

  @Test
  void report_outAndAgain_replacesTheFile() throws IOException {
    Path out = folder.resolve("page.html");
    Files.writeString(out, "old");

    Run run = Run.of("report", finished().path().toString(), "--out", out.toString());

    assertThat(run.exit()).isZero();
    assertThat(run.out().strip()).isEqualTo(out.toString());
    assertThat(Files.readString(out)).startsWith("<!DOCTYPE html>");
    assertThat(out.resolveSibling("page.html.new")).doesNotExist();
  }

  @Test
  void report_nothingThere_isRefused() {
    Run nowhere = Run.of("report", folder.resolve("nowhere").toString());
    assertThat(nowhere.exit()).isEqualTo(64);
    assertThat(nowhere.err()).contains("there is no directory", "nowhere");

    Run empty = Run.of("report", folder.toString());
    assertThat(empty.exit()).isEqualTo(64);
    assertThat(empty.err()).contains("holds nothing to report", "config.yaml");
    assertThat(folder.resolve("report.html")).doesNotExist();
  }
}
