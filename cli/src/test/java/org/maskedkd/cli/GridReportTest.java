package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.maskedkd.cli.ReportedRun.elements;
import static org.maskedkd.cli.ReportedRun.report;
import static org.maskedkd.cli.ReportedRun.texts;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * The report of a folder with two seeds of a masked row, one of a full one and an unfinished run.
 */
class GridReportTest {
  @TempDir private Path folder;

  @BeforeEach
  void writeRuns() throws IOException {
    ReportedRun.write(folder, "half-seed1", 8, "seed=1").evaluated(0.25, 0.5).exported();
    ReportedRun.write(folder, "half-seed2", 8, "seed=2").evaluated(0.35, 0.4).exported();
    ReportedRun.write(folder, "full-seed1", 8, "seed=1", "masking.keep=1")
        .evaluated(0.7, 0.6)
        .exported();
    ReportedRun.write(folder, "alone-seed1", 4, "seed=1", "distillation.kind=none").evaluated(0.1);
    Files.writeString(
        folder.resolve("table.json"),
        "{\"rows\":[{\"row\":\"half\"},{\"row\":\"full\"},{\"row\":\"alone\"},{\"row\":\"never\"}]}");
  }

  private static List<String> rows(Document page) {
    Element table = elements(page, "table", "").get(0);
    return elements(page, "tr", "").stream()
        .filter(row -> row.getParentNode().getParentNode() == table)
        .map(ReportedRun::text)
        .toList();
  }

  @Test
  void write_runs_tableHasMeansAndDeviationsInTheTablesOrder() {
    List<String> rows = rows(report(folder));

    assertThat(rows).hasSize(4);
    // 0.5 and 0.4: the deviation of a sample of two is their difference over the root of two.
    assertThat(rows.get(1)).contains("half", "45.00 ± 7.07", "24", "1 2");
    assertThat(rows.get(2)).contains("full", "60.00", "70.00", "100.0 %", "masking.keep 1.0");
    assertThat(rows.get(3)).contains("alone", "–", "0.0 %", "distillation.kind none");
  }

  @Test
  void write_unfinishedRun_isNamed() {
    assertThat(texts(report(folder), "div", "warn").get(0))
        .contains("alone-seed1 is unfinished")
        .doesNotContain("half-seed1", "full-seed1");
  }

  @Test
  void write_runs_haveCurvesOverTheSeedsAndAPointEach() {
    Document page = report(folder);

    assertThat(
            elements(page, "polyline", "line").stream()
                .limit(3)
                .map(line -> line.getAttribute("data-name")))
        .containsExactly("half", "full", "alone");
    // Only half has two seeds that differ, and only in the evaluation.
    assertThat(elements(page, "polygon", "band")).hasSize(1);
    assertThat(texts(page, "title", "").stream().skip(1))
        .containsExactly("half: 45.00 % ± 7.07", "full: 60.00 %");
    assertThat(elements(page, "circle", "mark").stream().map(c -> c.getAttribute("class")))
        .contains("mark s0", "mark s1");
  }

  @Test
  void write_masks_standSideBySideWhereTheImagesAreTheSame() {
    String mask = "{\"step\":0,\"rows\":1,\"columns\":2,\"kept\":[[%d]]}\n";
    new ReportedRun(folder.resolve("half-seed1"))
        .put("masks.png", new byte[] {1})
        .put("masks.jsonl", mask.formatted(0));
    new ReportedRun(folder.resolve("full-seed1"))
        .put("masks.png", new byte[] {1})
        .put("masks.jsonl", mask.formatted(1));
    new ReportedRun(folder.resolve("alone-seed1"))
        .put("masks.png", new byte[] {2})
        .put("masks.jsonl", mask.formatted(1));

    Document page = report(folder);

    assertThat(texts(page, "thead", "")).contains("image half full");
    assertThat(elements(page, "path", "off").stream().map(p -> p.getAttribute("d")))
        .containsExactly("M1 0h1v1h-1z", "M0 0h1v1h-1z");
  }

  @Test
  void write_reportsOfTheRuns_areLinked() {
    report(folder.resolve("half-seed2"));

    Document page = report(folder);

    assertThat(elements(page, "a", "").stream().map(a -> a.getAttribute("href")))
        .containsExactly("./half-seed2/report.html");
  }
}
