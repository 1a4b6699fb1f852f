package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchPipelineProcessTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void pipeline_ofSleepingDevices_isMeasuredInThreeProcesses(@TempDir Path folder)
      throws JsonProcessingException {
    List<JsonNode> rows =
        rows(
            folder,
            "--devices=sleep:F=1,B=2,T=4,unit=40ms",
            "--batch=8",
            "--micro-batches=4",
            "--steps=2",
            "--warm-up-steps=7",
            "--pin");

    assertThat(rows).hasSize(1);
    JsonNode row = rows.get(0);
    assertThat(row.fieldNames())
        .toIterable()
        .contains(
            "schedule",
            "micro_batches",
            "sizes",
            "keep",
            "precision",
            "teachers",
            "step_seconds",
            "images_per_second",
            "bubble",
            "imbalance",
            "predicted_step_seconds",
            "bound_seconds",
            "efficiency",
            "overheads",
            "others_share",
            "valid",
            "pids");
    assertThat(row.path("schedule").asText()).isEqualTo("eager");
    assertThat(row.path("sizes")).extracting(JsonNode::asInt).containsExactly(2, 2, 2, 2);
    // The closed form T + (F + B) / M, and max(F + B, T), in units of 40 ms.
    // The overheads that were measured come on top.
    assertThat(row.path("predicted_step_seconds").asDouble()).isGreaterThan(0.9 * 4.75 * 0.04);
    assertThat(row.path("bound_seconds").asDouble()).isCloseTo(4 * 0.04, within(1e-9));
    assertThat(row.path("bubble").asDouble()).isBetween(0.0, 1.0);
    assertThat(row.path("imbalance").asDouble()).isBetween(0.0, 1.0);
    assertThat(row.path("overheads").fieldNames())
        .toIterable()
        .containsExactly("forward", "teacher", "backward", "indices", "signals", "optimizer");
    assertThat(row.path("others_share").asDouble()).isBetween(0.0, 1.0);
    assertThat(row.path("images_per_second").asDouble() * row.path("step_seconds").asDouble())
        .isCloseTo(8, within(1e-6));
    assertThat(row.path("pids").fieldNames())
        .toIterable()
        .containsExactly("student", "teacher-0", "coordinator");
    List<Long> pids = new ArrayList<>();
    row.path("pids").forEach(pid -> pids.add(pid.asLong()));
    assertThat(new HashSet<>(pids)).hasSize(3);
    // Read while the steps ran: a process that has ended has none.
    assertThat(row.path("peak_bytes")).allMatch(bytes -> bytes.asLong() > 0);
    assertThat(pids).noneMatch(MaskedKdProcess::isAlive);
  }

  @Test
  @Tag("soak")
  void pipeline_ofRealModels_isComparedWithWhatHasNoPipeline(@TempDir Path folder)
      throws JsonProcessingException {
    List<JsonNode> rows =
        rows(
            folder,
            "--student=" + TinyRun.STUDENT,
            "--teacher=" + TinyRun.TEACHER,
            "--batch=8",
            "--micro-batches=2",
            "--steps=2",
            "--warm-up-steps=7");

    assertThat(rows)
        .extracting(row -> row.path("schedule").asText())
        .containsExactly("eager", "colocated", "data-parallel-bound");
    assertThat(rows).extracting(row -> row.path("batch").asInt()).containsOnly(8);
    assertThat(rows).extracting(row -> row.path("pids").size()).containsExactly(3, 1, 2);
  }

  private static List<JsonNode> rows(Path folder, String... arguments)
      throws JsonProcessingException {
    List<String> all = new ArrayList<>(List.of("bench", "pipeline", "--json"));
    all.addAll(List.of(arguments));
    try (MaskedKdProcess bench = MaskedKdProcess.start(folder, all.toArray(String[]::new))) {
      bench.endsWith(0);
      List<JsonNode> rows = new ArrayList<>();
      for (String line : bench.said().lines().filter(line -> line.startsWith("{")).toList()) {
        rows.add(JSON.readTree(line));
      }
      return rows;
    }
  }
}
