package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;

/** Runs that share a teacher whose device computes when the test lets it. */
@Timeout(60)
class TeacherServiceTest {
  private static final VitConfig CONFIG =
      ModelZoo.parse("vit:image=8,patch=4,width=16,depth=1,heads=2,classes=3");
  private static final int PATCH_BYTES = 48;
  private static final int MAX_RUNS = 2;

  /** One permit, one forward. */
  private final BlockingQueue<Boolean> permits = new LinkedBlockingQueue<>();

  private final BlockingQueue<Integer> merges = new LinkedBlockingQueue<>();
  private final Map<String, Integer> delivered = new HashMap<>();
  private final BlockingQueue<String> order = new LinkedBlockingQueue<>();
  private final ExecutorService compute = Executors.newSingleThreadExecutor();
  private final Metrics metrics = new Metrics(Role.TEACHER);
  private TeacherModel model;
  private TeacherService service;
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void start() throws IOException {
    model =
        new TeacherModel(
            VisionTransformer.initialised(CONFIG, 1, Precision.FP32, Mode.FROZEN), List.of());
    service =
        new TeacherService(
            model,
            (patches, kept, batch, merge, features) -> {
              take(permits);
              merges.add(merge);
              return new TeacherDevice.Signal(
                  new float[batch * CONFIG.classes()], new float[0], new float[0]);
            },
            Numerics.getDefaultInstance(),
            compute,
            1 << 20,
            MAX_RUNS,
            new TeacherMeter(metrics, CONFIG),
            new Idleness(Duration.ZERO, System::nanoTime),
            () -> {});
    String address = InProcessServerBuilder.generateName();
    server =
        InProcessServerBuilder.forName(address)
            .addService(service)
            .intercept(new Deliveries())
            .build()
            .start();
    channel = InProcessChannelBuilder.forName(address).build();
  }

  @AfterEach
  void stop() {
    channel.shutdownNow();
    server.shutdownNow();
    compute.shutdownNow();
    metrics.close();
    model.close();
  }

  /** Counts micro-batches that the service has taken. */
  private final class Deliveries implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
        @Override
        public void onMessage(Q message) {
          super.onMessage(message);
          if (message instanceof MaskedMicroBatch micro) {
            synchronized (delivered) {
              delivered.merge(micro.getKey().getRun(), 1, Integer::sum);
              delivered.notifyAll();
            }
          }
        }
      };
    }
  }

  private void awaitDelivered(String run, int count) throws InterruptedException {
    synchronized (delivered) {
      while (delivered.getOrDefault(run, 0) < count) {
        delivered.wait();
      }
    }
  }

  /** A coordinator's side. */
  private final class Client implements StreamObserver<TeacherSignal> {
    final String run;
    final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    final StreamObserver<MaskedMicroBatch> stream;
    int sent;

    Client(String run) {
      this.run = run;
      stream = TeacherGrpc.newStub(channel).supervise(this);
    }

    void send() {
      stream.onNext(next().build());
    }

    MaskedMicroBatch.Builder next() {
      return MaskedMicroBatch.newBuilder()
          .setKey(MicroBatchKey.newBuilder().setRun(run).setStep(1).setIndex(sent++))
          .addTensors(TensorFrames.ints("kept_indices", new int[] {3}, 1, 1))
          .addTensors(
              TensorFrames.bytes("kept_patches", ByteBuffer.allocate(48), 1, 1, PATCH_BYTES))
          .setLast(true);
    }

    @Override
    public void onNext(TeacherSignal signal) {
      order.add(run);
      heard.add(signal);
    }

    @Override
    public void onError(Throwable t) {
      heard.add(t);
    }

    @Override
    public void onCompleted() {
      heard.add("end");
    }
  }

  private static <T> T take(BlockingQueue<T> queue) {
    try {
      T taken = queue.poll(30, TimeUnit.SECONDS);
      if (taken == null) {
        throw new IllegalStateException("what was waited for never came");
      }
      return taken;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void supervise_oneRunGreedy_answersTakeTurnsAndLittleOfItsIsTaken() throws InterruptedException {
    Client greedy = new Client("greedy");
    for (int i = 0; i < 40; i++) {
      greedy.send();
    }
    awaitDelivered("greedy", FairQueue.MOST_TASKS);
    Client modest = new Client("modest");
    modest.send();
    modest.send();
    awaitDelivered("modest", 2);
    int ofGreedy = 0;
    for (int i = 1; i <= 20; i++) {
      // Of the greedy run no more is taken in than its share.
      synchronized (delivered) {
        assertThat(delivered.getOrDefault("greedy", 0))
            .isLessThanOrEqualTo(ofGreedy + FairQueue.MOST_TASKS);
      }
      permits.add(true);
      if (take(order).equals("greedy")) {
        ofGreedy++;
        awaitDelivered("greedy", ofGreedy + FairQueue.MOST_TASKS);
      } else {
        modest.send();
        awaitDelivered("modest", modest.sent);
      }
      // One of the greedy run's was under way, and one next, when the other came.
      assertThat(ofGreedy - (i - ofGreedy)).isBetween(0, 2);
    }
  }

  @Test
  void supervise_runThatIsGone_itsMicroBatchesAreForgotten() throws InterruptedException {
    Client gone = new Client("gone");
    for (int i = 0; i < 4; i++) {
      gone.send();
    }
    awaitDelivered("gone", 4);
    Client other = new Client("other");
    other.send();
    awaitDelivered("other", 1);
    gone.stream.onError(new IllegalStateException("killed"));
    take(gone.heard);
    // Its place is free once the service has heard of it.
    Client third;
    do {
      third = new Client("third");
      third.send();
    } while (!joined(third));

    // The one under way when it went, and one each: each answer has a thread of its own to be heard
    // on.
    permits.addAll(List.of(true, true));
    take(other.heard);
    permits.add(true);
    take(third.heard);
    assertThat(order).containsExactly("other", "third");
  }

  /** Whether a run was taken in; else it was refused. */
  private boolean joined(Client client) throws InterruptedException {
    while (true) {
      Object refusal = client.heard.poll(1, TimeUnit.MILLISECONDS);
      synchronized (delivered) {
        if (refusal != null || delivered.getOrDefault(client.run, 0) > 0) {
          return refusal == null;
        }
      }
    }
  }

  @Test
  void supervise_moreRunsThanAllowed_areRefusedWithBothNumbers() throws InterruptedException {
    for (int i = 0; i < MAX_RUNS; i++) {
      new Client("run " + i).send();
      awaitDelivered("run " + i, 1);
    }
    Client third = new Client("third");

    assertThat(take(third.heard)).asString().contains("serves 2 runs already, and --max-runs is 2");
    assertThat(shown(Metric.TEACHER_RUNS)).isEqualTo(MAX_RUNS);
    permits.addAll(List.of(true, true));
  }

  @Test
  void metrics_ofARun_countWhatIsThereWhatWasAnsweredAndWhatDidNotFit() throws Exception {
    assertThat(shown(Metric.TEACHER_RUNS)).isZero();
    Client client = new Client("run");
    client.send();
    client.send();
    awaitDelivered("run", 2);
    assertThat(shown(Metric.TEACHER_RUNS)).isEqualTo(1);
    assertThat(shown(Metric.TEACHER_QUEUE)).isEqualTo(2);

    permits.addAll(List.of(true, true));
    take(client.heard);
    take(client.heard);
    // An answer is counted after it is sent, by the thread that made it.
    compute.submit(() -> {}).get(30, TimeUnit.SECONDS);
    assertThat(shown(Metric.TEACHER_MICROBATCHES)).isEqualTo(2);
    assertThat(shown(Metric.TEACHER_IMAGES)).isEqualTo(2);
    assertThat(shown(Metric.TEACHER_QUEUE)).isZero();
    assertThat(shown(Metric.TEACHER_REFUSED)).isZero();

    MaskedMicroBatch whole = client.next().setMerge(2).build();
    client.stream.onNext(whole.toBuilder().clearTensors().setLast(false).build());
    client.stream.onNext(whole.toBuilder().setMerge(1).build());
    awaitDelivered("run", 4);
    assertThat(shown(Metric.TEACHER_REFUSED)).isEqualTo(1);
    assertThat(shown(Metric.TEACHER_RUNS)).isZero();
  }

  private double shown(Metric metric) {
    return Shown.of(metrics, metric);
  }

  @Test
  void drain_runsUnderWay_areToldAndGetTheirAnswers() throws InterruptedException {
    Client client = new Client("run");
    client.send();
    client.send();
    awaitDelivered("run", 2);
    service.drain();

    assertThat(((TeacherSignal) take(client.heard)).getDraining()).isTrue();
    permits.addAll(List.of(true, true));
    for (int i = 0; i < 2; i++) {
      assertThat(((TeacherSignal) take(client.heard)).getKey().getIndex()).isEqualTo(i);
    }
    assertThat(((TeacherSignal) newcomer()).getDraining()).isTrue();
  }

  @Test
  void supervise_tokensToMerge_reachTheDeviceAndMayNotChangeWithinAMicroBatch() {
    Client client = new Client("run");
    client.stream.onNext(client.next().setMerge(2).build());
    permits.add(true);
    take(client.heard);
    assertThat(take(merges)).isEqualTo(2);

    MaskedMicroBatch whole = client.next().setMerge(2).build();
    client.stream.onNext(whole.toBuilder().clearTensors().setLast(false).build());
    client.stream.onNext(whole.toBuilder().setMerge(1).build());
    assertThat(take(client.heard)).asString().contains("asks for 1 merged tokens", "for 2");
  }

  private Object newcomer() {
    return take(new Client("late").heard);
  }
}
