package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class NetworkLoopTest {

  private static final class Answers implements StreamObserver<HealthCheckResponse> {
    final List<ServingStatus> values = new ArrayList<>();
    final List<Thread> threads = new ArrayList<>();
    boolean ended;

    @Override
    public void onNext(HealthCheckResponse value) {
      values.add(value.getStatus());
      threads.add(Thread.currentThread());
    }

    @Override
    public void onError(Throwable t) {
      ended = true;
    }

    @Override
    public void onCompleted() {
      ended = true;
    }
  }

  private static Answers check(ManagedChannel channel) {
    Answers answers = new Answers();
    HealthGrpc.newStub(channel)
        .withExecutor(Runnable::run)
        .check(HealthCheckRequest.getDefaultInstance(), answers);
    return answers;
  }

  @Test
  void run_aCall_isServedOnTheOwnersThread() {
    try (StageServer server = StageServer.listen("127.0.0.1:0").start();
        NetworkLoop loop = new NetworkLoop()) {
      ManagedChannel channel = loop.connect(server.address(), null);

      Answers answers = check(channel);
      while (!answers.ended) {
        loop.run(Long.MAX_VALUE);
      }

      assertThat(answers.values).containsExactly(ServingStatus.SERVING);
      assertThat(answers.threads).containsExactly(Thread.currentThread());
      channel.shutdownNow();
    }
  }

  @Test
  void run_theTimeIsOver_returns() {
    try (NetworkLoop loop = new NetworkLoop()) {
      loop.run(1);
    }
  }

  @Test
  void wake_fromAnotherThread_endsTheWait() throws InterruptedException {
    try (NetworkLoop loop = new NetworkLoop()) {
      Thread other = new Thread(loop::wake);
      other.start();

      loop.run(Long.MAX_VALUE);

      other.join();
    }
  }

  @Test
  void wake_beforeTheWait_endsIt() throws InterruptedException {
    try (NetworkLoop loop = new NetworkLoop()) {
      Thread other = new Thread(loop::wake);
      other.start();
      other.join();

      loop.run(Long.MAX_VALUE);
    }
  }

  @Test
  void close_aCallUnderWay_endsIt() {
    try (StageServer server = StageServer.listen("127.0.0.1:0").start()) {
      Answers watch = new Answers();
      try (NetworkLoop loop = new NetworkLoop()) {
        ManagedChannel channel = loop.connect(server.address(), null);
        HealthGrpc.newStub(channel)
            .withExecutor(Runnable::run)
            .watch(HealthCheckRequest.getDefaultInstance(), watch);
        while (watch.values.isEmpty()) {
          loop.run(Long.MAX_VALUE);
        }
        channel.shutdownNow();
      }

      assertThat(watch.ended).isTrue();
    }
  }
}
