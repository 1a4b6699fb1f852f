package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ManagementTest {
  private final Metrics metrics = new Metrics("student");
  private final Management management = new Management("127.0.0.1:0", metrics.registry());
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  @AfterEach
  void stop() {
    management.close();
    metrics.close();
  }

  private HttpResponse<String> get(String path, String... headers) throws Exception {
    return send(request(path, headers).GET().build());
  }

  private HttpRequest.Builder request(String path, String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management.port() + path));
    return headers.length == 0 ? request : request.headers(headers);
  }

  private HttpResponse<String> send(HttpRequest request) throws Exception {
    return client.send(request, BodyHandlers.ofString());
  }

  private static String type(HttpResponse<String> response) {
    return response.headers().firstValue("Content-Type").orElseThrow();
  }

  @Test
  void metrics_plainScrape_isPrometheusText() throws Exception {
    metrics.images(3);
    HttpResponse<String> response = get("/metrics");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(type(response)).isEqualTo("text/plain; version=0.0.4; charset=utf-8");
    assertThat(response.body())
        .contains("maskedkd_images_total{role=\"student\"} 3.0\n")
        .doesNotContain("# EOF");
  }

  @Test
  void metrics_scrapeAcceptingOpenMetrics_isOpenMetrics() throws Exception {
    HttpResponse<String> response =
        get(
            "/metrics",
            "Accept",
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3,*/*;q=0.1");
    assertThat(type(response))
        .isEqualTo("application/openmetrics-text; version=1.0.0; charset=utf-8");
    assertThat(response.body()).endsWith("# EOF\n");
  }

  @Test
  void metrics_everythingSet_hasPrefixedNamesWithBaseUnitsAndHelp() throws Exception {
    metrics.images(1);
    metrics.microBatch();
    metrics.step(12, Duration.ofMillis(700));
    metrics.busy("student", "forward", 0.25);
    metrics.idle("student", "drain", 0.5);
    metrics.dataWait(0.125);
    metrics.sent("teacher", 100);
    metrics.received("teacher", 40);
    metrics.retry("step");
    metrics.duplicate();
    metrics.windowSamples(64);
    metrics.queueDepth(2);
    metrics.teachers(3);
    metrics.keptRatio(0.5);
    metrics.loss("total", 2.5);
    metrics.loss("total", 1.5);
    metrics.learningRate(1e-3);
    metrics.gradientNorm(4);
    metrics.epoch(1);
    metrics.evaluation("top1", 0.75);
    metrics.checkpoint(1000, 2);
    String body = get("/metrics").body();
    assertThat(body.lines())
        .contains(
            "maskedkd_images_total{role=\"student\"} 1.0",
            "maskedkd_microbatches_total{role=\"student\"} 1.0",
            "maskedkd_steps_total{role=\"student\"} 1.0",
            "maskedkd_last_step{role=\"student\"} 12.0",
            "maskedkd_step_seconds_bucket{role=\"student\",le=\"0.5\"} 0",
            "maskedkd_step_seconds_bucket{role=\"student\",le=\"1.0\"} 1",
            "maskedkd_step_seconds_sum{role=\"student\"} 0.7",
            "maskedkd_device_busy_seconds_total{device=\"student\",operation=\"forward\",role=\"student\"} 0.25",
            "maskedkd_device_idle_seconds_total{cause=\"drain\",device=\"student\",role=\"student\"} 0.5",
            "maskedkd_data_wait_seconds_total{role=\"student\"} 0.125",
            "maskedkd_sent_bytes_total{peer=\"teacher\",role=\"student\"} 100.0",
            "maskedkd_received_bytes_total{peer=\"teacher\",role=\"student\"} 40.0",
            "maskedkd_retries_total{role=\"student\",what=\"step\"} 1.0",
            "maskedkd_duplicates_total{role=\"student\"} 1.0",
            "maskedkd_window_samples{role=\"student\"} 64.0",
            "maskedkd_queue_microbatches{role=\"student\"} 2.0",
            "maskedkd_teachers{role=\"student\"} 3.0",
            "maskedkd_kept_ratio{role=\"student\"} 0.5",
            "maskedkd_loss{part=\"total\",role=\"student\"} 1.5",
            "maskedkd_learning_rate{role=\"student\"} 0.001",
            "maskedkd_gradient_norm{role=\"student\"} 4.0",
            "maskedkd_epoch{role=\"student\"} 1.0",
            "maskedkd_evaluation_ratio{measure=\"top1\",role=\"student\"} 0.75",
            "maskedkd_checkpoint_size_bytes{role=\"student\"} 1000.0",
            "maskedkd_checkpoint_write_seconds{role=\"student\"} 2.0");
    assertThat(body).contains("jvm_memory_used_bytes{").contains("process_cpu_usage{");
    assertThat(body.lines().filter(l -> l.startsWith("# HELP maskedkd_")))
        .isNotEmpty()
        .allMatch(line -> line.split(" ", 4).length == 4 && !line.split(" ", 4)[3].isBlank());
  }

  @Test
  void readyz_untilReady_is503WithTheReason() throws Exception {
    assertThat(get("/readyz").statusCode()).isEqualTo(503);
    management.ready(false, "loading weights");
    assertThat(get("/readyz").body()).isEqualTo("loading weights\n");
    management.ready(true, "serving");
    assertThat(get("/readyz").statusCode()).isEqualTo(200);
    assertThat(get("/livez").statusCode()).isEqualTo(200);
  }

  @Test
  void otherPathsAndMethods_areRefused() throws Exception {
    assertThat(get("/metricsx").statusCode()).isEqualTo(404);
    assertThat(get("/").statusCode()).isEqualTo(404);
    HttpResponse<String> posted =
        send(request("/metrics").POST(BodyPublishers.ofString("x")).build());
    assertThat(posted.statusCode()).isEqualTo(405);
    assertThat(posted.headers().firstValue("Allow")).hasValue("GET, HEAD");
    assertThat(send(request("/metrics").method("HEAD", BodyPublishers.noBody()).build()).body())
        .isEmpty();
  }

  @Test
  void management_portInUse_saysSoAndNamesTheOption() {
    assertThatThrownBy(() -> new Management("127.0.0.1:" + management.port(), metrics.registry()))
        .isInstanceOf(RunException.class)
        .hasMessageContainingAll(
            "port " + management.port() + " of 127.0.0.1 is in use", "--management");
  }
}
