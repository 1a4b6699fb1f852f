package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
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
  private ManagedChannel channel = Channels.connect(server.address());

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
    channel = Channels.connect(server.address());
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
    channel = Channels.connect(server.address());
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
  void failure_callThatAKnownPeerDoesNotOffer_isTakenForDamageOnTheWay() {
    Throwable thrown =
        catchThrowable(
            () -> StudentGrpc.newBlockingStub(channel).where(WhereRequest.getDefaultInstance()));
    RunException failure = Failures.fromKnown(thrown, "the student");
    assertThat(failure.exitCode()).isEqualTo(ExitCode.PEER_AWAY);
    assertThat(failure)
        .hasMessage(
            "the connection to the student broke (Method not found: maskedkd.v1.Student/Where)");
  }

  @ParameterizedTest
  @EnumSource(ExitCode.class)
  void failure_ofEveryExitCodeThatAKnownPeerTells_isThePeersOwn(ExitCode exit) {
    serve(
        request -> {
          throw new RunException(exit, "no");
        });
    RunException failure =
        Failures.fromKnown(
            catchThrowable(() -> open(OpenTeacher.getDefaultInstance())), "the teacher");
    assertThat(failure.exitCode()).isEqualTo(exit);
    assertThat(failure).hasMessage("the teacher: no");
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
    channel = Channels.connect(server.address());
    assertThat(openFails().exitCode()).isEqualTo(ExitCode.PEER_AWAY);
  }

  @Test
  void start_portInUse_saysSoAndNamesTheOption() {
    assertThatThrownBy(() -> StageServer.listen(server.address()).start())
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContainingAll(
            "port " + server.address().replace("127.0.0.1:", "") + " of 127.0.0.1 is in use",
            "--listen");
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
      assertThat(open.address()).matches("127\\.0\\.0\\.1:[1-9]\\d*");
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

  private static TeacherOpened askAt(String address) {
    ManagedChannel socket = Channels.connect(address);
    try {
      return TeacherGrpc.newBlockingStub(socket)
          .withDeadlineAfter(20, TimeUnit.SECONDS)
          .open(OpenTeacher.newBuilder().setClasses(41).build());
    } finally {
      socket.shutdownNow();
    }
  }

  private static StageServer at(String address) {
    return StageServer.listen(address)
        .service(
            new Opening(
                r -> TeacherOpened.newBuilder().setProtocolVersion(r.getClasses() + 1).build()))
        .start();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void socketFile_served_answersAndIsForThisUserAloneAndGoesWithTheServer(@TempDir Path folder)
      throws Exception {
    Path file = folder.resolve("stage.sock");
    try (StageServer unix = at("unix:" + file)) {
      assertThat(unix.address()).isEqualTo("unix:" + file);
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
      assertThat(askAt(unix.address()).getProtocolVersion()).isEqualTo(42);
    }
    assertThat(file).doesNotExist();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void socketFile_leftByAKilledProcess_isListenedOnAgain(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("stage.sock");
    // Closing such a channel leaves its file, as the end of a process does.
    try (var left = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      left.bind(UnixDomainSocketAddress.of(file));
    }
    assertThat(file).exists();
    try (StageServer unix = at("unix:" + file)) {
      assertThat(askAt(unix.address()).getProtocolVersion()).isEqualTo(42);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void socketFile_thatIsListenedOn_isRefusedAndStaysTheFirstOnes(@TempDir Path folder) {
    String address = "unix:" + folder.resolve("stage.sock");
    try (StageServer first = at(address)) {
      assertThatThrownBy(() -> at(address))
          .isInstanceOfSatisfying(
              RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
          .hasMessageContainingAll(address, "another process listens there", "--listen");
      assertThat(askAt(first.address()).getProtocolVersion()).isEqualTo(42);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void socketFile_whereAFileIs_isRefusedAndTheFileStays(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("weights"), "precious");
    assertThatThrownBy(() -> at("unix:" + file))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("a file that is no socket is there");
    assertThat(file).hasContent("precious");
    assertThatThrownBy(() -> at("unix:" + folder.resolve("none/stage.sock")))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("there is no folder " + folder.resolve("none"));
  }

  @Test
  void socketFile_nobodyListens_isAPeerThatIsAway(@TempDir Path folder) {
    Throwable thrown = catchThrowable(() -> askAt("unix:" + folder.resolve("none.sock")));
    assertThat(Failures.fromStatus(thrown, "the teacher").exitCode()).isEqualTo(ExitCode.PEER_AWAY);
  }

  @ParameterizedTest
  @ValueSource(strings = {"unix:", "unix:/", "unix://", "unix:a\0b"})
  void listen_socketFileWithoutName_isRefusedWithWhatWasGiven(String address) {
    assertThatThrownBy(() -> StageServer.listen(address))
        .isInstanceOfSatisfying(
            RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContainingAll("'" + address + "'", "unix:PATH");
  }

  @Test
  void connect_socketFileTooLong_isRefusedWithItsLengthAndTheLimit() {
    assertThatThrownBy(() -> Channels.connect("unix:/" + "d".repeat(107)))
        .isInstanceOf(RunException.class)
        .hasMessageContainingAll("108 bytes", "at most 107", "unix:PATH");
  }

  @Test
  void message_ofManyFrames_arrivesAsItWasSentInPiecesOfAnySize() {
    Random random = new Random(5);
    serve(
        request -> {
          byte[] name = new byte[request.getClasses()];
          Arrays.fill(name, (byte) ('a' + request.getClasses() % 26));
          return TeacherOpened.newBuilder()
              .setModel(
                  ModelInfo.newBuilder()
                      .setModelBytes(ByteString.copyFrom(name))
                      .setClasses(request.getClasses()))
              .build();
        });
    for (int i = 0; i < 40; i++) {
      int size = random.nextInt(1 << 20);
      TeacherOpened opened = open(OpenTeacher.newBuilder().setClasses(size).build());
      assertThat(opened.getModel().getClasses()).isEqualTo(size);
      assertThat(opened.getModel().getModel())
          .isEqualTo(Character.toString('a' + size % 26).repeat(size));
    }
  }
}
