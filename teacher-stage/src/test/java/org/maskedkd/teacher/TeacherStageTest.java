package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TlsFiles;
import org.maskedkd.tensor.Precision;

/** What a teacher shows while it starts, and leaves when it cannot. */
@Timeout(60)
class TeacherStageTest {
  private static final String LOOPBACK = "127.0.0.1";

  @TempDir private Path folder;
  private final HttpClient client = HttpClient.newHttpClient();
  private int management;

  @BeforeEach
  void choosePort() throws IOException {
    try (ServerSocket free = listen(0)) {
      management = free.getLocalPort();
    }
  }

  private static ServerSocket listen(int port) throws IOException {
    return new ServerSocket(port, /* backlog= */ 1, InetAddress.getLoopbackAddress());
  }

  private TeacherOptions options(int grpc, String weights, @Nullable TlsFiles tls) {
    return new TeacherOptions(
        LOOPBACK + ":" + grpc,
        LOOPBACK + ":" + management,
        "vit:image=8,patch=4,width=16,depth=1,heads=2,classes=3",
        weights,
        List.of(),
        List.of(),
        Precision.FP32,
        /* threads= */ 1,
        /* maxMicroBatchBytes= */ 1 << 20,
        /* maxRuns= */ 2,
        Duration.ZERO,
        Duration.ZERO,
        tls,
        /* insecure= */ false,
        /* sleep= */ null);
  }

  private HttpResponse<String> get(String page) {
    URI uri = URI.create("http://" + LOOPBACK + ":" + management + "/" + page);
    try {
      return client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static TeacherModel never() {
    throw new AssertionError("the model was loaded");
  }

  private void requireFree() throws IOException {
    listen(management).close();
  }

  private void requireReady(int status, String reason) {
    HttpResponse<String> readiness = get("readyz");
    assertThat(readiness.statusCode()).isEqualTo(status);
    assertThat(readiness.body().strip()).isEqualTo(reason);
    assertThat(get("livez").statusCode()).isEqualTo(200);
    assertThat(get("metrics").body()).contains("maskedkd_build_info");
  }

  @Test
  void start_whileWeightsLoad_showsMetricsAndIsNotReady() throws Exception {
    TeacherOptions options = options(0, "random:1", null);

    try (TeacherStage stage =
        TeacherStage.start(
            options,
            () -> {
              requireReady(503, "loading weights");
              return options.load();
            })) {
      requireReady(200, "serving");
      assertThat(stage.address()).startsWith(LOOPBACK);
    }
    requireFree();
  }

  @Test
  void start_weightsThatAreNotThere_failsAsBadDataAndShowsNothingMore() throws Exception {
    Path absent = folder.resolve("absent.safetensors");

    assertThatThrownBy(() -> TeacherStage.start(options(0, absent.toString(), null)))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.BAD_DATA))
        .hasMessageContaining("absent.safetensors");
    requireFree();
  }

  @Test
  void start_grpcPortInUse_failsAndShowsNothingMore() throws Exception {
    try (ServerSocket used = listen(0)) {
      assertThatThrownBy(() -> TeacherStage.start(options(used.getLocalPort(), "random:1", null)))
          .isInstanceOf(RunException.class)
          .hasMessageContaining(String.valueOf(used.getLocalPort()));
    }
    requireFree();
  }

  @Test
  void start_managementPortInUse_isToldBeforeTheModelIsLoaded() throws Exception {
    try (ServerSocket used = listen(management)) {
      assertThat(used.isBound()).isTrue();
      assertThatThrownBy(
              () -> TeacherStage.start(options(0, "random:1", null), TeacherStageTest::never))
          .isInstanceOf(RunException.class)
          .hasMessageContaining("--management");
    }
  }

  @Test
  void start_wrongTlsFile_isToldBeforeTheModelIsLoaded() throws Exception {
    Path absent = folder.resolve("absent.pem");

    assertThatThrownBy(
            () ->
                TeacherStage.start(
                    options(0, "random:1", new TlsFiles(absent, absent, absent)),
                    TeacherStageTest::never))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("absent.pem");
    requireFree();
  }
}
