package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A coordinator whose run has ended, and what it still shows. */
@ExtendWith(SharedStages.Extension.class)
class LingerProcessTest {
  private static final String[] LINGERING = {"--management=127.0.0.1:0", "--linger-seconds=600"};
  private static final String ENDED = "its metrics can be read for 600 s more";

  private static String metrics(TinyRun run) throws Exception {
    String port = run.process().awaitText("management on port ");
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics")).build(),
            HttpResponse.BodyHandlers.ofString())
        .body();
  }

  @Test
  void coordinator_done_showsItsLastStepUntilASignalEndsItWithItsOwnCode(SharedStages stages)
      throws Exception {
    TinyRun run = stages.run("lingers", 1, LINGERING);
    try (MaskedKdProcess process = run.process()) {
      process.awaitText(ENDED);
      assertThat(metrics(run))
          .contains("maskedkd_phase{phase=\"ended\",role=\"coordinator\"} 1.0")
          .contains("maskedkd_last_step{role=\"coordinator\"} 8.0")
          .contains("maskedkd_checkpoint_step{role=\"coordinator\"} 8.0");
      process.terminate();
      process.endsWith(0);
    }
  }

  @Test
  void coordinator_stepThatDiverges_showsThatItWasGivenUp(SharedStages stages) throws Exception {
    TinyRun run =
        stages.run(
            "diverges",
            1,
            LINGERING[0],
            LINGERING[1],
            "optimizer.learning-rate=1.0e30",
            "optimizer.warmup-epochs=0");
    try (MaskedKdProcess process = run.process()) {
      process.awaitText(ENDED);
      assertThat(metrics(run)).contains("maskedkd_nonfinite_total{role=\"coordinator\"} 1.0");
      process.terminate();
      process.endsWith(70);
      assertThat(run.said())
          .contains("the model that chooses has diverged: lower optimizer.learning-rate");
    }
  }
}
