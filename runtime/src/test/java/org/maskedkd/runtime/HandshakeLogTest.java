package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.ManagedChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;

/** What an operator sees of a client that is not let in: one line, whichever library objects. */
class HandshakeLogTest {
  private static final Certificates OURS = Certificates.of("ours");
  private static final Certificates THEIRS = Certificates.of("theirs");
  private static final Duration NEVER = Duration.ofDays(1);

  @TempDir private Path folder;

  private Tls tls(String name, Certificates house) throws Exception {
    TlsFiles files = house.write(folder.resolve(name), house.issue(name));
    // A stranger still trusts the server, so that the server is the one to object.
    Files.writeString(files.authority(), OURS.authority().getCertificatePEM());
    return Tls.open(files, NEVER);
  }

  private static void callInVain(StageServer server, @Nullable Tls tls) throws Exception {
    ManagedChannel channel = Channels.connect(server.address(), tls);
    assertThat(
            catchThrowable(
                () ->
                    TeacherGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(1, TimeUnit.MINUTES)
                        .open(OpenTeacher.getDefaultInstance())))
        .isNotNull();
    channel.shutdownNow().awaitTermination(1, TimeUnit.MINUTES);
    // Whatever else the connection's end brings about happens on this loop.
    for (int turn = 0; turn < 2; turn++) {
      Transport.eventLoop().submit(() -> {}).sync();
    }
  }

  @ParameterizedTest
  @EnumSource(LogFormat.class)
  void refused_clients_areALineEach(LogFormat format) throws Exception {
    try (Tls stage = tls("stage", OURS);
        Tls stranger = tls("stranger", THEIRS);
        StageServer secret = StageServer.listen("127.0.0.1:0").tls(stage).start();
        StageServer plain = StageServer.listen("127.0.0.1:0").start();
        StandardError error = new StandardError("teacher", format)) {
      callInVain(secret, /* tls= */ null);
      await().until(() -> error.lines().size() >= 1);
      callInVain(secret, stranger);
      await().until(() -> error.lines().size() >= 2);
      callInVain(plain, stranger);
      await().until(() -> error.lines().size() >= 3);

      assertThat(error.lines()).hasSize(3).noneMatch(line -> line.contains("Exception"));
      String[] reasons = {
        "it does not use TLS", "not issued by an authority", "it uses TLS, and this process"
      };
      for (int i = 0; i < reasons.length; i++) {
        String line = error.lines().get(i);
        assertThat(line).contains("WARN", "refused /127.0.0.1:", reasons[i]);
        if (format == LogFormat.JSON) {
          JsonNode event = StandardError.json(line);
          assertThat(event.get("message").asText()).contains(reasons[i]);
          assertThat(event.has("error")).isFalse();
        } else {
          assertThat(line).contains("teacher: refused");
        }
      }
    }
  }
}
