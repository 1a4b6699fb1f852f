package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.TensorFrames;

/**
 * A pool with teachers of known speed on a clock that is moved by hand from answer to answer, so
 * that nothing depends on how fast the machine is.
 */
@Timeout(60)
class TeacherChoiceTest {

  private static final int SAMPLES = 2;
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration DAY = Duration.ofDays(1);

  /** What reached a teacher. */
  private record Received(int teacher, TeacherSignal signal, StreamObserver<TeacherSignal> out) {}

  /**
   * What a teacher does with it.
   *
   * @param othersEnd when the fastest of the others would have been through with it
   */
  private record Work(Received what, long arrival, long start, long end, long othersEnd) {
    int index() {
      return what.signal().getKey().getIndex();
    }

    long step() {
      return what.signal().getKey().getStep();
    }
  }

  private long nanos = 5;
  private final NetworkLoop network = new NetworkLoop();
  private final RunMetrics metrics = new RunMetrics(new Metrics(Role.COORDINATOR), "run", () -> 0);
  private final EventLoop loop = new EventLoop(network, () -> nanos);
  private final Queue<Received> received = new ConcurrentLinkedQueue<>();
  private final PriorityQueue<Work> running =
      new PriorityQueue<>(Comparator.comparingLong(Work::end));
  private final List<Work> done = new ArrayList<>();
  private final List<MicroBatchKey> answers = new ArrayList<>();
  private final List<Server> servers = new ArrayList<>();
  private final List<ManagedChannel> channels = new ArrayList<>();
  private long[] nanosPerSample = {};
  private long[] free = {};
  private int sent;
  private int arrived;

  private TeacherPool open(long... millisPerSample) throws IOException {
    int count = millisPerSample.length;
    nanosPerSample = new long[count];
    free = new long[count];
    List<Peer> peers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int place = i;
      nanosPerSample[i] = 1_000_000 * millisPerSample[i];
      FakeTeacher teacher = new FakeTeacher();
      teacher.answering =
          (signal, out) -> {
            received.add(new Received(place, signal, out));
            loop.execute(() -> {});
          };
      String address = InProcessServerBuilder.generateName();
      servers.add(InProcessServerBuilder.forName(address).addService(teacher).build().start());
      ManagedChannel channel = InProcessChannelBuilder.forName(address).build();
      channels.add(channel);
      peers.add(new Peer("teacher " + i, channel));
    }
    TeacherPool pool =
        new TeacherPool(
            loop,
            new TeacherPeers(peers, List.of()),
            OpenTeacher.getDefaultInstance(),
            /* deterministic= */ true,
            new Patience(HOUR, HOUR, HOUR, HOUR, DAY, DAY, 5, 0, HOUR, DAY),
            notice -> {},
            new RunState((ready, why) -> {}, metrics),
            metrics,
            new SharedGpus(notice -> {}));
    pool.open();
    return pool;
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    servers.forEach(Server::shutdownNow);
    network.close();
  }

  private void begin(TeacherPool pool, int step, int microBatches) {
    pool.begin(step, answer -> answers.add(answer.key()));
    for (int i = 0; i < microBatches; i++) {
      MicroBatchKey key = MicroBatchKey.newBuilder().setStep(step).setIndex(i).build();
      MaskedMicroBatch frame =
          MaskedMicroBatch.newBuilder()
              .setKey(key)
              .addTensors(TensorFrames.ints("kept_indices", new int[SAMPLES], SAMPLES, 1))
              .addTensors(
                  TensorFrames.bytes(
                      "kept_patches",
                      ByteBuffer.allocate(SAMPLES * Toy.PATCH_BYTES),
                      SAMPLES,
                      1,
                      Toy.PATCH_BYTES))
              .setLast(true)
              .build();
      pool.submit(new MaskedWork(key, SAMPLES, 1, List.of(frame)));
      sent++;
      settle(pool);
    }
  }

  /** Until what the pool has given away has arrived. */
  private void settle(TeacherPool pool) {
    loop.runUntil(() -> arrived + received.size() == sent - pool.waiting());
    for (Received next = received.poll(); next != null; next = received.poll()) {
      arrived++;
      long othersEnd = Long.MAX_VALUE;
      for (int k = 0; k < free.length; k++) {
        if (k != next.teacher()) {
          othersEnd = Math.min(othersEnd, Math.max(free[k], nanos) + SAMPLES * nanosPerSample[k]);
        }
      }
      long start = Math.max(nanos, free[next.teacher()]);
      long end = start + SAMPLES * nanosPerSample[next.teacher()];
      free[next.teacher()] = end;
      running.add(new Work(next, nanos, start, end, othersEnd));
    }
  }

  /** Goes on to the next answer. */
  private void answerNext(TeacherPool pool) {
    Work work = running.remove();
    done.add(work);
    nanos = work.end();
    TeacherSignal.Builder signal = work.what().signal().toBuilder();
    signal.getSpanBuilder().setStartNanos(work.start()).setEndNanos(work.end());
    int before = answers.size();
    work.what().out().onNext(signal.build());
    loop.runUntil(() -> answers.size() > before);
    settle(pool);
  }

  private void finish(TeacherPool pool) {
    while (!running.isEmpty()) {
      answerNext(pool);
    }
    assertThat(pool.waiting()).isZero();
  }

  private List<Work> by(int teacher, long step) {
    return done.stream().filter(w -> w.what().teacher() == teacher && w.step() == step).toList();
  }

  @Test
  void next_oneTeacherFourTimesSlower_sharesFollowTheSpeeds() throws IOException {
    try (TeacherPool pool = open(40, 10)) {
      for (int step = 1; step <= 3; step++) {
        long began = nanos;
        begin(pool, step, 20);
        finish(pool);
        assertThat(by(0, step)).extracting(Work::index).isSorted();
        assertThat(by(1, step)).extracting(Work::index).isSorted();
        if (step > 1) {
          assertThat(by(0, step)).hasSizeBetween(3, 4);
          // The load bound is 20 * 20 ms / 1.25.
          assertThat((nanos - began) / 1e6).isCloseTo(320, within(32.0));
        }
      }
      assertThat(answers).hasSize(60).doesNotHaveDuplicates();
    }
  }

  @Test
  void next_anyTeacherSlower_nothingWaitsWhereItIsDoneLater() throws IOException {
    try (TeacherPool pool = open(10, 35, 10)) {
      begin(pool, 1, 12);
      finish(pool);
      begin(pool, 2, 30);
      assertThat(pool.waiting()).isGreaterThan(0);
      finish(pool);
      List<Work> slow = by(1, 2);
      assertThat(slow).isNotEmpty();
      assertThat(slow)
          .filteredOn(work -> work.start() > work.arrival())
          .allSatisfy(work -> assertThat(work.end()).isLessThanOrEqualTo(work.othersEnd()));
    }
  }

  @Test
  void next_fewMicroBatches_areHeldBackForTheFastOne() throws IOException {
    try (TeacherPool pool = open(100, 10)) {
      begin(pool, 1, 4);
      finish(pool);
      begin(pool, 2, 5);
      assertThat(pool.waiting()).isEqualTo(3);
      finish(pool);
      assertThat(by(0, 2)).isEmpty();
      assertThat(by(1, 2)).extracting(Work::index).containsExactly(0, 1, 2, 3, 4);
    }
  }

  @Test
  void next_theFastOneIsLost_whatWasHeldBackGoesToTheOther() throws IOException {
    try (TeacherPool pool = open(100, 10)) {
      begin(pool, 1, 4);
      finish(pool);
      begin(pool, 2, 5);
      assertThat(running).extracting(w -> w.what().teacher()).containsExactly(1, 1);
      Work broken = running.remove();
      running.clear();
      // Both micro-batches come back and go out again.
      arrived -= 2;
      broken.what().out().onError(Status.UNAVAILABLE.asRuntimeException());
      loop.runUntil(() -> pool.ready() == 1);
      settle(pool);
      finish(pool);
      assertThat(pool.redone()).isEqualTo(2);
      assertThat(by(0, 2)).extracting(Work::index).containsExactly(0, 1, 2, 3, 4);
    }
  }

  @Test
  void next_theFastOneIsStuck_theOtherDoesNotWaitForEver() throws IOException {
    try (TeacherPool pool = open(100, 10)) {
      begin(pool, 1, 4);
      finish(pool);
      begin(pool, 2, 3);
      assertThat(pool.waiting()).isEqualTo(1);
      nanos += Duration.ofSeconds(2).toNanos();
      loop.runUntil(() -> pool.waiting() == 0);
      settle(pool);
      assertThat(running).extracting(w -> w.what().teacher()).contains(0);
    }
  }

  @Test
  void next_aTeacherThatHasNotAnsweredYet_isTriedAtOnce() throws IOException {
    try (TeacherPool pool = open(10, 10)) {
      begin(pool, 1, 1);
      finish(pool);
      assertThat(by(0, 1)).hasSize(1);
      begin(pool, 2, 1);
      finish(pool);
      assertThat(by(1, 2)).hasSize(1);
    }
  }
}
