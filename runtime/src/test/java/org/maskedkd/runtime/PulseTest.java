package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;

/** A client and a server whose pulses beat when the test says so. */
class PulseTest {
  private static final int MANY_BEATS = 30;

  private final Pulse ofClient = new Pulse();
  private final Pulse ofServer = new Pulse();
  private final Quiet service = new Quiet();
  private Server server = NettyServerBuilder.forPort(0).build();
  private final List<ManagedChannel> channels = new ArrayList<>();

  /** Answers the clock at once, and everything else when the test says so. */
  private static final class Quiet extends TeacherGrpc.TeacherImplBase {
    final CompletableFuture<StreamObserver<TeacherOpened>> opening = new CompletableFuture<>();
    final CompletableFuture<StreamObserver<TeacherSignal>> stream = new CompletableFuture<>();
    final CompletableFuture<String> cancelled = new CompletableFuture<>();
    final List<MaskedMicroBatch> received = new ArrayList<>();
    boolean listens = true;

    @Override
    public void clock(ClockRequest request, StreamObserver<ClockReply> reply) {
      reply.onNext(ClockReply.getDefaultInstance());
      reply.onCompleted();
    }

    @Override
    public void open(OpenTeacher request, StreamObserver<TeacherOpened> reply) {
      opening.complete(reply);
    }

    @Override
    public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> out) {
      ServerCallStreamObserver<TeacherSignal> call = (ServerCallStreamObserver<TeacherSignal>) out;
      call.setOnCancelHandler(() -> cancelled.complete("cancelled"));
      if (!listens) {
        call.disableAutoRequest();
      }
      stream.complete(out);
      return new StreamObserver<>() {
        @Override
        public void onNext(MaskedMicroBatch message) {
          received.add(message);
        }

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {
          out.onCompleted();
        }
      };
    }
  }

  /** What a client heard. */
  private static final class Heard<T> implements StreamObserver<T> {
    final List<T> messages = new ArrayList<>();
    final CompletableFuture<Status> end = new CompletableFuture<>();

    @Override
    public void onNext(T message) {
      messages.add(message);
    }

    @Override
    public void onError(Throwable t) {
      end.complete(Status.fromThrowable(t));
    }

    @Override
    public void onCompleted() {
      end.complete(Status.OK);
    }
  }

  @BeforeEach
  void serve() throws IOException {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .addService(SealedServer.of(service.bindService(), ofServer))
            .build()
            .start();
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    server.shutdownNow();
  }

  /**
   * @param lost which messages of a stream the network loses, by their number
   */
  private TeacherGrpc.TeacherStub connect(IntPredicate lost) throws Exception {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", server.getPort())
            .usePlaintext()
            .directExecutor()
            // The last one is the first to see a call.
            .intercept(new Losing(lost), new SealedClient(ofClient))
            .build();
    channels.add(channel);
    TeacherGrpc.TeacherStub stub = TeacherGrpc.newStub(channel);
    // Calls that are made while a channel connects need not begin in their order.
    settle(stub);
    return stub;
  }

  private record Losing(IntPredicate lost) implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
        private int number;

        @Override
        public void sendMessage(Q message) {
          if (method.getType() == MethodDescriptor.MethodType.UNARY || !lost.test(number++)) {
            super.sendMessage(message);
          }
        }
      };
    }
  }

  /** Returns once both ends have seen all that was sent before on the same connection. */
  private static void settle(TeacherGrpc.TeacherStub stub) throws Exception {
    Heard<ClockReply> clock = new Heard<>();
    stub.clock(ClockRequest.getDefaultInstance(), clock);
    assertThat(clock.end.get(1, TimeUnit.MINUTES).getCode()).isEqualTo(Status.Code.OK);
  }

  @Test
  void beat_bothEndsAlive_longCallsGoOnAndNobodySeesTheBeats() throws Exception {
    TeacherGrpc.TeacherStub stub = connect(number -> false);
    Heard<TeacherOpened> opened = new Heard<>();
    Heard<TeacherSignal> signals = new Heard<>();
    stub.open(OpenTeacher.getDefaultInstance(), opened);
    StreamObserver<MaskedMicroBatch> work = stub.supervise(signals);

    for (int i = 0; i < MANY_BEATS; i++) {
      ofClient.beat();
      ofServer.beat();
      settle(stub);
    }

    assertThat(opened.end).isNotDone();
    assertThat(signals.end).isNotDone();
    work.onNext(MaskedMicroBatch.getDefaultInstance());
    settle(stub);
    service.stream.get().onNext(TeacherSignal.newBuilder().setDraining(true).build());
    service.opening.get().onNext(TeacherOpened.newBuilder().setMaxMessageBytes(7).build());
    service.opening.get().onCompleted();
    assertThat(opened.end.get(1, TimeUnit.MINUTES).getCode()).isEqualTo(Status.Code.OK);
    settle(stub);
    assertThat(opened.messages).hasSize(1);
    assertThat(signals.messages).hasSize(1);
    assertThat(service.received).containsExactly(MaskedMicroBatch.getDefaultInstance());
  }

  @Test
  void beat_nothingFromTheServer_endsTheCallAsIfTheConnectionWereLost() throws Exception {
    Heard<TeacherOpened> opened = new Heard<>();
    connect(number -> false).open(OpenTeacher.getDefaultInstance(), opened);
    service.opening.get(1, TimeUnit.MINUTES);

    for (int i = 0; i < SealedClient.MOST_SILENT_BEATS; i++) {
      ofClient.beat();
    }
    assertThat(opened.end).isNotDone();
    ofClient.beat();

    Status end = opened.end.get(1, TimeUnit.MINUTES);
    assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(end.getDescription()).isEqualTo("nothing was heard of this call for 60 s");
  }

  @Test
  void beat_nothingFromTheClient_cancelsTheServicesCall() throws Exception {
    Heard<TeacherSignal> signals = new Heard<>();
    TeacherGrpc.TeacherStub stub = connect(number -> false);
    StreamObserver<MaskedMicroBatch> unused = stub.supervise(signals);
    settle(stub);

    for (int i = 0; i <= SealedServer.MOST_SILENT_BEATS; i++) {
      ofServer.beat();
    }

    assertThat(signals.end.get(1, TimeUnit.MINUTES).getDescription())
        .isEqualTo("nothing was heard of this call for 90 s");
    assertThat(service.cancelled.get(1, TimeUnit.MINUTES)).isEqualTo("cancelled");
  }

  @Test
  void beat_lastMessageWasLost_isNoticedByTheBeatThatFollows() throws Exception {
    Heard<TeacherSignal> signals = new Heard<>();
    TeacherGrpc.TeacherStub stub = connect(number -> number == 1);
    StreamObserver<MaskedMicroBatch> work = stub.supervise(signals);
    work.onNext(MaskedMicroBatch.getDefaultInstance());
    work.onNext(MaskedMicroBatch.getDefaultInstance());
    settle(stub);
    assertThat(signals.end).isNotDone();

    ofClient.beat();

    assertThat(signals.end.get(1, TimeUnit.MINUTES).getDescription())
        .isEqualTo("message 2 came where number 1 was expected");
    assertThat(service.received).hasSize(1);
  }

  @Test
  void send_afterTheCallWasGivenUp_doesNothing() throws Exception {
    Heard<TeacherSignal> signals = new Heard<>();
    StreamObserver<MaskedMicroBatch> work = connect(number -> false).supervise(signals);
    service.stream.get(1, TimeUnit.MINUTES);
    for (int i = 0; i <= SealedClient.MOST_SILENT_BEATS; i++) {
      ofClient.beat();
    }

    // Whoever sends may not have heard of it yet.
    work.onNext(MaskedMicroBatch.getDefaultInstance());
    work.onCompleted();

    assertThat(((ClientCallStreamObserver<MaskedMicroBatch>) work).isReady()).isFalse();
    assertThat(signals.end.get(1, TimeUnit.MINUTES).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(service.received).isEmpty();
  }

  @Test
  void beat_callThatFails_doesNotSilenceTheOthers() {
    Pulse pulse = new Pulse();
    List<String> heard = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      pulse.add(
          i % 2 == 0
              ? () -> {
                throw new OutOfMemoryError("as if");
              }
              : () -> heard.add("beat"));
    }
    pulse.beat();
    assertThat(heard).hasSize(5);
  }

  @Test
  void beat_serviceThatDoesNotListenForAWhile_isNotTakenForSilence() throws Exception {
    service.listens = false;
    Heard<TeacherSignal> signals = new Heard<>();
    TeacherGrpc.TeacherStub stub = connect(number -> false);
    StreamObserver<MaskedMicroBatch> unused = stub.supervise(signals);

    for (int i = 0; i < MANY_BEATS; i++) {
      ofServer.beat();
      settle(stub);
    }

    assertThat(signals.end).isNotDone();
  }
}
