package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ManagementTest {
  private final Metrics metrics = new Metrics(Role.STUDENT);
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
    metrics.set(Metric.HELD_SAMPLES, 3);
    HttpResponse<String> response = get("/metrics");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(type(response)).isEqualTo("text/plain; version=0.0.4; charset=utf-8");
    assertThat(response.body())
        .contains("maskedkd_held_samples{role=\"student\"} 3.0\n")
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
