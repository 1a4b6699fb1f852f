package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.WhereRequest;

class StageServerTest {
  private StageServer server = StageServer.listen("127.0.0.1:0").start();
  private ManagedChannel channel = Channels.connect("127.0.0.1:" + server.port());

  /** Answers Open as {@code answer} says, or fails as it throws. */
  private record Opening(Function<OpenTeacher, TeacherOpened> answer) implements BindableService {
    @Override
    public ServerServiceDefinition bindService() {
      return new TeacherGrpc.TeacherImplBase() {
        @Override
        public void open(OpenTeacher request, StreamObserver<TeacherOpened> observer) {
          TeacherOpened opened;
          try {
            opened = answer.apply(request);
          } catch (RuntimeException e) {
            observer.onError(Failures.toStatus(e));
            return;
          }
          observer.onNext(opened);
          observer.onCompleted();
        }
      }.bindService();
    }
  }

  private void serve(Function<OpenTeacher, TeacherOpened> answer) {
    stop();
    server = StageServer.listen("127.0.0.1:0").service(new Opening(answer)).start();
    channel = Channels.connect("127.0.0.1:" + server.port());
  }

  private TeacherOpened open(OpenTeacher request) {
    return TeacherGrpc.newBlockingStub(channel)
        .withDeadlineAfter(20, TimeUnit.SECONDS)
        .open(request);
  }

  private RunException openFails() {
    return Failures.fromStatus(
        catchThrowable(() -> open(OpenTeacher.getDefaultInstance())), "the teacher at 127.0.0.1:1");
  }

  @AfterEach
  void stop() {
    channel.shutdownNow();
    server.close();
  }

  @Test
  void call_overRealSockets_isAnswered() {
    serve(
        request -> TeacherOpened.newBuilder().setProtocolVersion(request.getClasses() + 1).build());
    assertThat(open(OpenTeacher.newBuilder().setClasses(41).build()).getProtocolVersion())
        .isEqualTo(42);
  }

  @ParameterizedTest
  @EnumSource(ExitCode.class)
  void failure_ofEveryExitCode_arrivesWithCodeAndMessage(ExitCode exit) {
    serve(
        request -> {
          throw new RunException(exit, "weights ü have 10 classes, the data has 12");
        });
    RunException failure = openFails();
    assertThat(failure.exitCode()).isEqualTo(exit);
    assertThat(failure)
        .hasMessage("the teacher at 127.0.0.1:1: weights ü have 10 classes, the data has 12");
  }

  @Test
  void failure_illegalArgument_countsAsUsage() {
    serve(
        request -> {
          throw new CompletionException(new IllegalArgumentException("98 do not match 99"));
        });
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(openFails()).hasMessageContaining("98 do not match 99");
  }

  @Test
  void failure_anythingElse_countsAsInternalAndNamesItsClass() {
    serve(
        request -> {
          throw new IllegalStateException("x".repeat(100_000));
        });
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.INTERNAL);
    assertThat(openFails()).hasMessageContaining("IllegalStateException: xxx");
  }

  @Test
  void failure_nobodyListens_isAPeerAway() {
    stop();
    channel = Channels.connect("127.0.0.1:" + server.port());
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.PEER_AWAY);
    assertThat(openFails()).hasMessageContaining("the teacher at 127.0.0.1:1 cannot be reached");
  }

  @Test
  void failure_serviceIsAnotherStages_isIncompatible() {
    Throwable thrown =
        catchThrowable(
            () -> StudentGrpc.newBlockingStub(channel).where(WhereRequest.getDefaultInstance()));
    RunException failure = Failures.fromStatus(thrown, "the student");
    assertThat(failure.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    assertThat(failure).hasMessageContaining("the student does not offer this call");
  }

  @Test
  void failure_answerTooLarge_explainsTheLimit() {
    serve(
        request ->
            TeacherOpened.newBuilder()
                .setModel(ModelInfo.newBuilder().setModel("m".repeat(Transport.MAX_MESSAGE_BYTES)))
                .build());
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    assertThat(openFails()).hasMessageContaining("accepts 8388608 bytes");
  }

  @Test
  void health_ofServices_servesUntilStopped() {
    serve(request -> TeacherOpened.getDefaultInstance());
    var health = HealthGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
    for (String service : new String[] {"", "maskedkd.v1.Teacher"}) {
      assertThat(
              health.check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus())
          .isEqualTo(ServingStatus.SERVING);
    }
    server.stopAccepting();
    channel.shutdownNow();
    channel = Channels.connect("127.0.0.1:" + server.port());
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.PEER_AWAY);
  }

  @Test
  void start_portInUse_saysSoAndNamesTheOption() {
    assertThatThrownBy(() -> StageServer.listen("127.0.0.1:" + server.port()).start())
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContainingAll("port " + server.port() + " of 127.0.0.1 is in use", "--listen");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0:0", ":0", "*:0", "[::]:0"})
  void start_addressOthersReach_refusedUnlessInsecure(String address) {
    assertThatThrownBy(() -> StageServer.listen(address).start())
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContainingAll("not a loopback address", "--insecure");
  }

  @Test
  void start_addressOthersReachAndInsecure_listens() {
    try (StageServer open = StageServer.listen("0.0.0.0:0").insecure(true).start()) {
      assertThat(open.port()).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "::1:80", "h:-1"})
  void listen_malformedAddress_refusedWithWhatWasGiven(String address) {
    assertThatThrownBy(() -> StageServer.listen(address))
        .isInstanceOf(RunException.class)
        .hasMessageContainingAll("'" + address + "'", "HOST:PORT");
  }

  @ParameterizedTest
  @ValueSource(strings = {":9091", "127.0.0.1:0"})
  void connect_addressWithoutDestination_isRefused(String address) {
    assertThatThrownBy(() -> Channels.connect(address))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("'" + address + "'");
  }
}
