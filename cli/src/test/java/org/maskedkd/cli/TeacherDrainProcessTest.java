package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A teacher that is told to end in the midst of a run, and its successor. */
@ExtendWith(SharedStages.Extension.class)
class TeacherDrainProcessTest {
  private static final int STEPS = 400;

  @TempDir private Path folder;

  private MaskedKdProcess teacher(String listen) {
    return MaskedKdProcess.start(
        folder,
        "teacher-stage",
        "--listen=" + listen,
        "--threads=1",
        "--model=" + TinyRun.TEACHER,
        "--weights=" + TinyRun.TEACHER_WEIGHTS);
  }

  private static HttpResponse<String> readyz(String port) throws IOException, InterruptedException {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/readyz")).build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private static void awaitReadyz(String port, int status, String text) {
    await("/readyz with " + status + " " + text)
        .atMost(MaskedKdProcess.PATIENCE)
        .pollInterval(Duration.ofMillis(20))
        .until(
            () -> {
              HttpResponse<String> found = readyz(port);
              return found.statusCode() == status && found.body().contains(text);
            });
  }

  @Test
  void coordinator_itsOnlyTeacherTerminated_waitsNotReadyAndGoesOnWithTheNext(SharedStages stages) {
    String[] arguments = Arrays.copyOf(TinyRun.LONG, TinyRun.LONG.length + 1);
    arguments[TinyRun.LONG.length] = "--max-steps=" + STEPS;
    TinyRun unharmed = stages.run("undrained", 1, arguments).endsWith(0);

    try (MaskedKdProcess first = teacher("127.0.0.1:0")) {
      String address = first.awaitText("listening ");
      String[] more = Arrays.copyOf(arguments, arguments.length + 4);
      more[arguments.length] = "--teacher";
      more[arguments.length + 1] = "dns:" + address;
      more[arguments.length + 2] = "--management";
      more[arguments.length + 3] = "127.0.0.1:0";
      TinyRun run = stages.run("drained", 0, more).awaitSteps(3);
      String port = run.process().awaitText("management on port ");
      awaitReadyz(port, 200, "training, step ");

      first.terminate();
      first.endsWith(143);
      awaitReadyz(port, 503, "no teacher: the teacher at " + address);
      assertThat(run.said()).contains(address + " is shutting down; it gets no more work");
      assertThat(run.steps()).hasSizeLessThan(STEPS);

      try (MaskedKdProcess second = teacher(address)) {
        run.endsWith(0);
        assertThat(run.said()).contains(address + " is there again");
        assertThat(second.isAlive()).isTrue();
      }
      assertThat(run.steps()).isEqualTo(TinyRun.firstSteps(STEPS));
      assertThat(run.losses()).isEqualTo(unharmed.losses());
    }
  }
}
