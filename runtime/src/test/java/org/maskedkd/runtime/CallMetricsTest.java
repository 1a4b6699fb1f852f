package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;

class CallMetricsTest {
  private static final class Service extends TeacherGrpc.TeacherImplBase {
    @Override
    public void clock(ClockRequest request, StreamObserver<ClockReply> response) {
      response.onNext(ClockReply.newBuilder().setNanos(5).build());
      response.onCompleted();
    }

    @Override
    public void open(OpenTeacher request, StreamObserver<TeacherOpened> response) {
      response.onError(Failures.toStatus(new RunException(ExitCode.INCOMPATIBLE, "another one")));
    }
  }

  /** Waits for its answer on the loop. */
  private static final class Answer<R> implements StreamObserver<R> {
    final AtomicReference<String> end = new AtomicReference<>();

    @Override
    public void onNext(R value) {}

    @Override
    public void onError(Throwable t) {
      end.set("failed");
    }

    @Override
    public void onCompleted() {
      end.set("answered");
    }

    String await(NetworkLoop loop) {
      while (end.get() == null) {
        loop.run(Long.MAX_VALUE);
      }
      return end.get();
    }
  }

  @Test
  void calls_onBothEnds_areCountedWithTheirOutcomeAndTheirBytes() {
    try (Metrics ofServer = new Metrics(Role.TEACHER);
        Metrics ofClient = new Metrics(Role.COORDINATOR);
        NetworkLoop loop = new NetworkLoop(ofClient)) {
      try (StageServer server =
          StageServer.listen("127.0.0.1:0").service(new Service()).metrics(ofServer).start()) {
        ManagedChannel channel = loop.connect(server.address(), /* tls= */ null);
        TeacherGrpc.TeacherStub stub = TeacherGrpc.newStub(channel).withExecutor(Runnable::run);
        Answer<ClockReply> clock = new Answer<>();
        stub.clock(ClockRequest.getDefaultInstance(), clock);
        assertThat(clock.await(loop)).isEqualTo("answered");
        Answer<TeacherOpened> open = new Answer<>();
        stub.open(OpenTeacher.newBuilder().setRun("r".repeat(50)).build(), open);
        assertThat(open.await(loop)).isEqualTo("failed");
        channel.shutdownNow();
      }
      String client = ofClient.registry().scrape();
      String server = ofServer.registry().scrape();
      assertThat(client)
          .containsPattern("grpc_client_seconds_count\\{[^}]*OK[^}]*rpc_method=\"Clock\".*} 1")
          .containsPattern(
              "grpc_client_seconds_count\\{[^}]*FAILED_PRECONDITION[^}]*rpc_method=\"Open\".*} 1");
      assertThat(server)
          .containsPattern("grpc_server_seconds_count\\{[^}]*OK[^}]*rpc_method=\"Clock\".*} 1");
      double sent = value(client, "maskedkd_sent_bytes_total{peer=\"teacher\"");
      double received = value(server, "maskedkd_received_bytes_total{peer=\"coordinator\"");
      assertThat(sent).isGreaterThan(50).isEqualTo(received);
      assertThat(value(server, "maskedkd_sent_bytes_total{peer=\"coordinator\""))
          .isPositive()
          .isEqualTo(value(client, "maskedkd_received_bytes_total{peer=\"teacher\""));
      // A label with a value for each peer's port would grow without end.
      assertThat(client + server).doesNotContain("127.0.0.1");
    }
  }

  private static double value(String scrape, String series) {
    return scrape
        .lines()
        .filter(line -> line.startsWith(series))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + series + " in\n" + scrape));
  }
}
