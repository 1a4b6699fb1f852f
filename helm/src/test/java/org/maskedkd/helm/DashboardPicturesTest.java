package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/**
 * Draws the dashboards of a run of some minutes in a browser, since there is no Grafana here. With
 * {@code -Dpictures.to=../docs/images} the pictures of the documentation are made anew.
 */
@Tag("soak")
@EnabledIf(
    value = "org.maskedkd.helm.Programs#hasPrometheusAndChromium",
    disabledReason = "there is no Prometheus or no Chromium on the path")
class DashboardPicturesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path VIEWER = Path.of("src/test/viewer/dashboard.html");
  private static final Pattern LABEL = Pattern.compile("\\{\\{\\s*(\\w+)\\s*}}");
  private static final int WIDTH = 1600;
  private static final int CELL = 32;
  private static final int HEADING = 60;
  private static final Duration LENGTH = Duration.ofMinutes(5);

  /** What this run does not have: another exporter's metrics, and stale masks. */
  private static final Pattern ABSENT =
      Pattern.compile("DCGM_|maskedkd_stale_mask_ratio|maskedkd_mask_agreement_ratio");

  /** A student that the teachers must wait for, with evaluations and checkpoints now and then. */
  private static final LiveRun.Setup SMALL =
      new LiveRun.Setup(
          "vit:image=32,patch=4,width=64,depth=4,heads=2,classes=10",
          "vit:image=32,patch=4,width=192,depth=8,heads=3,classes=10",
          "classes=10,images=1600,size=32,patch=4,seed=1",
          """
          masking: {keep: 0.5}
          ema: {decay: 0.99}
          checkpoint: {every-steps: 20}
          optimizer: {learning-rate: 2.0e-3, warmup-epochs: 1}
          schedule: {epochs: 300, batch: 32, micro-batches: auto}
          """);

  @TempDir private Path folder;

  @Test
  void pictures_ofARun_showEveryPanelWithData() throws Exception {
    Path pictures = Path.of(System.getProperty("pictures.to", "target/pictures"));
    Files.createDirectories(pictures);
    try (LiveRun run = LiveRun.open(folder, SMALL)) {
      await("training").atMost(LENGTH).until(() -> value(run, "maskedkd_steps_total") > 0);
      double from = value(run, "time()");
      await("some minutes of it")
          .atMost(LENGTH.multipliedBy(2))
          .pollInterval(Duration.ofSeconds(1))
          .until(() -> value(run, "time()") - from > LENGTH.toSeconds());
      for (Path file : Dashboards.files()) {
        JsonNode dashboard = Dashboards.read(file);
        ObjectNode data = data(run, dashboard, from, from + LENGTH.toSeconds());
        Path page = folder.resolve(file.getFileName() + ".html");
        Files.writeString(
            page,
            Files.readString(VIEWER)
                .replace("/*DASHBOARD*/null", JSON.writeValueAsString(dashboard))
                .replace("/*DATA*/null", JSON.writeValueAsString(data)));
        String name = "dashboard-" + file.getFileName().toString().replace(".json", ".png");
        draw(page, pictures.resolve(name), height(dashboard));
      }
    }
  }

  private static double value(LiveRun run, String expression) throws Exception {
    JsonNode result = run.query(expression);
    // A scalar is a pair of time and value, a vector has one of each series.
    JsonNode value = result.path(0).isObject() ? result.at("/0/value/1") : result.path(1);
    return value.isMissingNode() ? 0 : value.asDouble();
  }

  private static int height(JsonNode dashboard) {
    int bottom = 0;
    for (JsonNode panel : dashboard.path("panels")) {
      bottom = Math.max(bottom, panel.at("/gridPos/y").asInt() + panel.at("/gridPos/h").asInt());
    }
    return bottom * CELL + HEADING;
  }

  private static ObjectNode data(LiveRun run, JsonNode dashboard, double from, double to)
      throws IOException, InterruptedException {
    ObjectNode data = JSON.createObjectNode();
    data.putArray("range").add(from).add(to);
    ObjectNode panels = data.putObject("panels");
    for (JsonNode panel : Dashboards.panels(dashboard)) {
      ArrayNode targets = panels.putArray(panel.path("id").asText());
      for (JsonNode target : panel.path("targets")) {
        String expression = Dashboards.sent(target.path("expr").asText(), "20s");
        ArrayNode series = targets.addArray();
        for (JsonNode found : run.range(expression, from, to, 1)) {
          ArrayNode one = series.addArray();
          one.add(legend(target.path("legendFormat").asText(), found.path("metric")));
          ArrayNode points = one.addArray();
          for (JsonNode point : found.path("values")) {
            points.addArray().add(point.path(0).asDouble()).add(point.path(1).asDouble());
          }
        }
        if (!ABSENT.matcher(expression).find()) {
          assertThat(series).as("%s: %s", panel.path("title"), expression).isNotEmpty();
          assertThat(series).allSatisfy(one -> assertThat(one.path(1)).isNotEmpty());
        }
      }
    }
    return data;
  }

  private static String legend(String format, JsonNode labels) {
    Matcher label = LABEL.matcher(format);
    return label.replaceAll(
        found -> Matcher.quoteReplacement(labels.path(found.group(1)).asText()));
  }

  private static void draw(Path page, Path picture, int height)
      throws IOException, InterruptedException {
    Files.deleteIfExists(picture);
    Process chromium =
        new ProcessBuilder(
                List.of(
                    "chromium",
                    "--headless",
                    "--no-sandbox",
                    "--hide-scrollbars",
                    "--window-size=" + WIDTH + "," + height,
                    "--screenshot=" + picture.toAbsolutePath(),
                    page.toUri().toString()))
            .redirectErrorStream(true)
            .redirectOutput(page.resolveSibling("chromium.txt").toFile())
            .start();
    assertThat(chromium.waitFor(2, TimeUnit.MINUTES)).isTrue();
    BufferedImage image = ImageIO.read(picture.toFile());
    assertThat(Map.of(image.getWidth(), image.getHeight())).isEqualTo(Map.of(WIDTH, height));
    assertThat(colours(image)).isGreaterThan(10);
  }

  private static long colours(BufferedImage image) {
    return java.util.stream.IntStream.range(0, image.getHeight() * image.getWidth())
        .map(i -> image.getRGB(i % image.getWidth(), i / image.getWidth()))
        .distinct()
        .count();
  }
}
