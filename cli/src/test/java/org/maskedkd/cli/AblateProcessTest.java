package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;

/** A table of two rows and two seeds, one row of which cannot run at first. */
class AblateProcessTest {
  @TempDir private Path folder;

  private MaskedKdProcess ablate(int code) {
    MaskedKdProcess process =
        MaskedKdProcess.start(folder, "ablate", "-c", folder.resolve("table.yaml").toString());
    process.endsWith(code);
    return process;
  }

  private void write(String layer) throws IOException {
    TinyRun.config(folder);
    Files.writeString(
        folder.resolve("table.yaml"),
        """
        config: tiny.yaml
        runs-dir: %s
        seeds: [1, 2]
        rows:
          alone: {distillation.kind: none, schedule.epochs: 1}
          layer: {masking.layer: %s, schedule.epochs: 1}
        """
            .formatted(folder, layer));
  }

  @Test
  void ablate_terminated_endsTheRunWithACheckpointAndListsIt() throws IOException {
    write("0");
    Path table = folder.resolve("table.yaml");
    Files.writeString(
        table, Files.readString(table).replace("schedule.epochs: 1", "schedule.epochs: 500"));
    MaskedKdProcess process = MaskedKdProcess.start(folder, "ablate", "-c", table.toString());
    TinyRun run = new TinyRun(folder.resolve("table/alone-seed1"), process).awaitSteps(1);

    process.terminate();
    process.endsWith(143);

    assertThat(run.checkpoints()).isNotEmpty();
    assertThat(process.said())
        .contains("- alone, seed 1: unfinished", "- layer, seed 2: ")
        .doesNotContain("error inside the program");
  }

  @Test
  void ablate_rowThatFails_isListedAndRunsWithTheNextCallWhileTheRestStands() throws IOException {
    write("7");
    MaskedKdProcess first = ablate(70);
    assertThat(first.said())
        .contains("there is no layer 7", "| alone | ", "2 of 2", "| layer | – | – | 0 of 2 |");

    write("0");
    MaskedKdProcess second = ablate(0);

    assertThat(second.said()).contains("alone, seed 1: done before", "alone, seed 2: done before");
    JsonNode rows =
        new ObjectMapper()
            .readTree(Files.readString(folder.resolve("table/table.json")))
            .path("rows");
    assertThat(rows).hasSize(2);
    for (JsonNode row : rows) {
      JsonNode runs = row.path("runs");
      double mean = (runs.get(0).path("top1").asDouble() + runs.get(1).path("top1").asDouble()) / 2;
      assertThat(row.path("top1_mean").asDouble()).isEqualTo(mean);
      assertThat(row.path("top1_deviation").isNumber()).isTrue();
    }
    assertThat(Files.readString(folder.resolve("table/table.md")))
        .contains("| layer | ", " ± ", "2 of 2")
        .doesNotContain("Not in it");
    Document page = ReportedRun.parse(folder.resolve("table/report.html"));
    assertThat(ReportedRun.texts(page, "figcaption", "")).hasSize(5);
    assertThat(ReportedRun.elements(page, "a", "").stream().map(a -> a.getAttribute("href")))
        .containsExactly(
            "./alone-seed1/report.html",
            "./alone-seed2/report.html",
            "./layer-seed1/report.html",
            "./layer-seed2/report.html");
    assertThat(ReportedRun.elements(page, "table", "masks")).hasSize(1);
  }
}
