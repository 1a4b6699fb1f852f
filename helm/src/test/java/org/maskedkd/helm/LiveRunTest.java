package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.runtime.Metric;

/** Everything that dashboards, rules and alerts ask for is there in a run that is well. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
@EnabledIf(
    value = "org.maskedkd.helm.Programs#hasPrometheus",
    disabledReason = "there is no Prometheus on the path")
class LiveRunTest {
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  /** Covers a few scrapes, which come every second. */
  private static final String RATE_INTERVAL = "10s";

  private static final LiveRun.Setup TINY =
      new LiveRun.Setup(
          "vit:image=16,patch=4,width=16,depth=2,heads=2,classes=3",
          "vit:image=16,patch=4,width=24,depth=1,heads=2,classes=3",
          "classes=3,images=240,size=16,patch=4,seed=1",
          """
          masking: {keep: 0.5}
          ema: {decay: 0.9}
          optimizer: {warmup-epochs: 0}
          schedule: {epochs: 10000, batch: 12, micro-batches: 3, stale-masks: 1, profile: true}
          """);

  /** What no machine of ours and no run that is well has, and why. */
  private static final Set<String> ABSENT =
      Set.of(
          // Another exporter's, on machines with GPUs.
          "DCGM_",
          // What a cluster says of pods, and labels that it gives.
          "kube_",
          "app_kubernetes_io_component");

  @TempDir private Path folder;

  private static boolean allowed(String expression) {
    return ABSENT.stream().anyMatch(expression::contains);
  }

  private static List<String> missing(LiveRun run, List<String> expressions)
      throws IOException, InterruptedException {
    List<String> missing = new ArrayList<>();
    for (String expression : expressions) {
      if (run.query(expression).isEmpty()) {
        missing.add(expression);
      }
    }
    return missing;
  }

  private static List<String> ofDashboards() {
    List<String> expressions = new ArrayList<>();
    for (Path file : Dashboards.files()) {
      for (JsonNode panel : Dashboards.panels(Dashboards.read(file))) {
        Dashboards.expressions(panel)
            .forEach(expression -> expressions.add(Dashboards.sent(expression, RATE_INTERVAL)));
      }
    }
    return expressions;
  }

  /**
   * What is recorded, and each series that an alert compares: whether it does is another matter.
   */
  private static List<String> ofRules() {
    List<String> expressions = new ArrayList<>(Rules.recorded());
    for (JsonNode alert : Rules.rules("alerts.yaml")) {
      Query.series(alert.path("expr").asText()).forEach(series -> expressions.add(series.text()));
    }
    return expressions;
  }

  /** Every metric that a run always has. */
  private static List<String> always() {
    List<String> metrics = new ArrayList<>();
    for (Metric metric : Metric.values()) {
      metrics.add(metric.text() + (metric.kind() == Metric.Kind.HISTOGRAM ? "_count" : ""));
    }
    return metrics;
  }

  @Test
  void expressions_ofDashboardsRulesAndAlerts_returnData() throws Exception {
    List<String> all = new ArrayList<>(ofDashboards());
    all.addAll(ofRules());
    all.addAll(always());
    List<String> absent = all.stream().filter(LiveRunTest::allowed).toList();
    assertThat(absent).hasSizeLessThanOrEqualTo(all.size() / 10);
    assertThat(absent).noneMatch(expression -> expression.contains("maskedkd_"));
    List<String> expected = all.stream().filter(expression -> !allowed(expression)).toList();
    try (LiveRun run = LiveRun.open(folder, TINY)) {
      await("data for every expression")
          .atMost(PATIENCE)
          .pollInterval(Duration.ofSeconds(1))
          .untilAsserted(() -> assertThat(missing(run, expected)).isEmpty());
      requireSums(run);
      assertThat(run.rules())
          .isNotEmpty()
          .allSatisfy(
              rule -> assertThat(rule.path("health").asText()).as("%s", rule).isEqualTo("ok"));
      assertThat(run.query("ALERTS{alertstate=\"firing\"}")).isEmpty();
      for (String scrape : run.scrapes()) {
        requireLint(scrape);
      }
    }
  }

  /** What promtool says against names, types and help is not of ours. */
  private static void requireLint(String scrape) throws IOException, InterruptedException {
    Process promtool =
        new ProcessBuilder("promtool", "check", "metrics").redirectErrorStream(true).start();
    try (OutputStream input = promtool.getOutputStream()) {
      input.write(scrape.getBytes(StandardCharsets.UTF_8));
    }
    String said = new String(promtool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    promtool.waitFor();
    // Micrometer gives calls no help text.
    assertThat(said.lines().filter(line -> !line.startsWith("grpc_"))).isEmpty();
    assertThat(scrape).contains("maskedkd_build_info");
  }

  /** Busy and idle time of each device are the time of the steps, over any stretch. */
  private static void requireSums(LiveRun run) throws IOException, InterruptedException {
    JsonNode shares =
        run.query(
            "(sum by (device) (maskedkd_device_busy_seconds_total) + sum by (device)"
                + " (maskedkd_device_idle_seconds_total)) / on () group_left ()"
                + " maskedkd_step_seconds_sum");
    Set<String> devices = new TreeSet<>();
    for (JsonNode share : shares) {
      devices.add(share.at("/metric/device").asText());
      assertThat(share.at("/value/1").asDouble()).as("%s", share).isBetween(0.999, 1.001);
    }
    assertThat(devices).containsExactly("student", "teacher-0", "teacher-1");
  }
}
