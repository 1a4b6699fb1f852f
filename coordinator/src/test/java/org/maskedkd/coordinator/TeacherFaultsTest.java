package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

/** Teachers that are late, come and go, on a clock that is moved by hand. */
@Timeout(60)
class TeacherFaultsTest {

  private static final int SAMPLES = 2;
  private static final Duration TICK = Duration.ofMillis(251);
  private static final Duration FIRST_ANSWER = Duration.ofSeconds(600);
  private static final Duration FLOOR = Duration.ofSeconds(2);
  private static final Duration BUDGET = Duration.ofSeconds(120);

  /** What reached a teacher. */
  private record Received(int teacher, TeacherSignal signal, StreamObserver<TeacherSignal> out) {
    int index() {
      return signal.getKey().getIndex();
    }
  }

  private long nanos = 5;
  private final NetworkLoop network = new NetworkLoop();
  private final Metrics shown = new Metrics(Role.COORDINATOR);
  private final RunMetrics metrics = new RunMetrics(shown, "run", () -> 0);
  private final EventLoop loop = new EventLoop(network, () -> nanos);
  private final Queue<Received> received = new ConcurrentLinkedQueue<>();
  private final List<Integer> answers = new ArrayList<>();
  private final List<String> notices = new ArrayList<>();
  private final List<String> readiness = new ArrayList<>();
  private final List<Server> servers = new ArrayList<>();
  private final List<ManagedChannel> channels = new ArrayList<>();
  private final List<FakeTeacher> teachers = new ArrayList<>();
  private double hedgeFraction;

  private String serve() {
    int place = teachers.size();
    FakeTeacher teacher = new FakeTeacher();
    teacher.answering =
        (signal, out) -> {
          received.add(new Received(place, signal, out));
          loop.execute(() -> {});
        };
    teachers.add(teacher);
    String address = InProcessServerBuilder.generateName();
    try {
      servers.add(InProcessServerBuilder.forName(address).addService(teacher).build().start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return address;
  }

  private Peer peer(String address) {
    ManagedChannel channel = InProcessChannelBuilder.forName(address).build();
    channels.add(channel);
    return new Peer("teacher " + address, channel);
  }

  private TeacherPool pool(TeacherPeers peers) {
    return pool(peers, /* deterministic= */ true);
  }

  private TeacherPool pool(TeacherPeers peers, boolean deterministic) {
    return new TeacherPool(
        loop,
        peers,
        OpenTeacher.getDefaultInstance(),
        deterministic,
        new Patience(
            BUDGET,
            BUDGET,
            Duration.ofMillis(100),
            Duration.ofSeconds(1),
            FIRST_ANSWER,
            FLOOR,
            /* deadlineFactor= */ 5,
            hedgeFraction,
            Duration.ofSeconds(5),
            BUDGET),
        notices::add,
        new RunState((ready, why) -> readiness.add(why), metrics),
        metrics,
        new SharedGpus(notices::add));
  }

  /** A pool of so many teachers that are there. */
  private TeacherPool open(int count) {
    TeacherPool pool = pool(listed(count));
    pool.open();
    return pool;
  }

  private TeacherPeers listed(int count) {
    return new TeacherPeers(
        IntStream.range(0, count).mapToObj(i -> peer(serve())).toList(), List.of());
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    servers.forEach(Server::shutdownNow);
    network.close();
  }

  /** Lets time pass in small steps, and what is due happen. */
  private void pass(Duration time) {
    for (long end = nanos + time.toNanos(); end - nanos > 0; ) {
      nanos += Math.min(TICK.toNanos(), end - nanos);
      boolean[] over = {false};
      loop.execute(() -> over[0] = true);
      loop.runUntil(() -> over[0]);
    }
  }

  private void begin(TeacherPool pool, int step) {
    pool.begin(step, answer -> answers.add(answer.key().getIndex()));
    answers.clear();
  }

  private void submit(TeacherPool pool, int step, int index) {
    MicroBatchKey key = MicroBatchKey.newBuilder().setStep(step).setIndex(index).build();
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
  }

  /** The next micro-batch that a teacher has got. */
  private Received next() {
    loop.runUntil(() -> !received.isEmpty());
    return received.remove();
  }

  private void answer(Received what, Duration took) {
    TeacherSignal.Builder signal = what.signal().toBuilder();
    signal.getSpanBuilder().setStartNanos(nanos - took.toNanos()).setEndNanos(nanos);
    what.out().onNext(signal.build());
  }

  private void answerAndWait(Received what, Duration took) {
    int before = answers.size();
    answer(what, took);
    loop.runUntil(() -> answers.size() > before);
  }

  /** Each teacher answers one micro-batch, which takes it a second. */
  private void measure(TeacherPool pool, int count) {
    begin(pool, 1);
    for (int i = 0; i < count; i++) {
      submit(pool, 1, i);
    }
    List<Received> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      all.add(next());
    }
    assertThat(all).extracting(Received::teacher).doesNotHaveDuplicates().hasSize(count);
    pass(Duration.ofSeconds(1));
    all.forEach(what -> answerAndWait(what, Duration.ofSeconds(1)));
  }

  /** Both have one micro-batch; of them the second one answers, and the first one is returned. */
  private Received silent(TeacherPool pool) {
    measure(pool, 2);
    begin(pool, 2);
    submit(pool, 2, 0);
    submit(pool, 2, 1);
    Received a = next();
    Received b = next();
    answerAndWait(b, Duration.ofSeconds(1));
    return a;
  }

  @Test
  void deadline_afterTheFirstAnswer_isTheFactorTimesTheMeasuredTime() {
    try (TeacherPool pool = open(2)) {
      Received silent = silent(pool);

      pass(Duration.ofMillis(4900));
      assertThat(pool.redone()).isZero();
      pass(Duration.ofMillis(100).plus(TICK));
      assertThat(pool.redone()).isOne();

      Received again = next();
      assertThat(again.teacher()).isEqualTo(1 - silent.teacher());
      assertThat(again.signal().getKey()).isEqualTo(silent.signal().getKey());
      assertThat(notices).anyMatch(n -> n.matches(".*answered nothing for 5.\\d s, of 5.0 s.*"));
    }
  }

  @Test
  void deadline_beforeTheFirstAnswer_isLong() {
    try (TeacherPool pool = open(1)) {
      begin(pool, 1);
      submit(pool, 1, 0);
      Received first = next();

      pass(FIRST_ANSWER.minus(TICK));
      assertThat(pool.ready()).isOne();
      pass(TICK.multipliedBy(3));
      assertThat(pool.ready()).isZero();

      answerAndWait(first, FIRST_ANSWER);
      assertThat(pool.ready()).isOne();
      assertThat(answers).containsExactly(0);
      assertThat(pool.waiting()).isZero();
    }
  }

  @Test
  void deadline_answerAfterIt_countsIfItIsTheFirst() {
    try (TeacherPool pool = open(2)) {
      Received silent = silent(pool);
      pass(Duration.ofSeconds(6));
      Received again = next();

      answerAndWait(silent, Duration.ofSeconds(6));
      answer(again, Duration.ofSeconds(1));
      loop.runUntil(() -> pool.duplicates() == 1);

      assertThat(answers).containsExactlyInAnyOrder(0, 1);
      assertThat(pool.ready()).isEqualTo(2);
      assertThat(Shown.value(shown, Metric.RETRIES, "late")).isOne();
      assertThat(Shown.value(shown, Metric.RETRIES, "lost")).isZero();
      assertThat(Shown.value(shown, Metric.DROPPED_ANSWERS, "duplicate")).isOne();
      assertThat(Shown.value(shown, Metric.TEACHER_UP)).isEqualTo(2);
      assertThat(Shown.value(shown, Metric.IN_FLIGHT)).isZero();
    }
  }

  @Test
  void deadline_silentForAsLongAgain_isConnectedAnewWithTwiceTheTime() {
    try (TeacherPool pool = open(1)) {
      measure(pool, 1);
      begin(pool, 2);
      submit(pool, 2, 0);
      next();
      pass(Duration.ofMillis(5300));
      assertThat(pool.ready()).isZero();
      assertThat(Shown.value(shown, Metric.TEACHER_UP, "0")).isZero();
      assertThat(Shown.value(shown, Metric.QUEUE)).isOne();
      pass(Duration.ofMillis(5600));
      loop.runUntil(() -> pool.ready() == 1);
      assertThat(Shown.value(shown, Metric.RECONNECTS, "teacher")).isOne();
      Received again = next();
      assertThat(again.signal().getKey().getStep()).isEqualTo(2);

      pass(Duration.ofMillis(9500));
      assertThat(pool.ready()).isOne();
      answerAndWait(again, Duration.ofMillis(9500));
      assertThat(answers).containsExactly(0);
    }
  }

  @Test
  void deadline_thisProcessWasStopped_blamesNobody() {
    try (TeacherPool pool = open(2)) {
      Received slow = silent(pool);

      nanos += Duration.ofSeconds(100).toNanos();
      pass(TICK.multipliedBy(4));

      assertThat(pool.redone()).isZero();
      answerAndWait(slow, Duration.ofSeconds(1));
      assertThat(answers).containsExactlyInAnyOrder(0, 1);
    }
  }

  @Test
  void hedge_halfOfTheDeadlineOver_anIdleTeacherGetsItTooOnce() {
    hedgeFraction = 0.5;
    try (TeacherPool pool = open(3)) {
      measure(pool, 3);
      begin(pool, 2);
      submit(pool, 2, 0);
      Received slow = next();

      pass(Duration.ofMillis(2400));
      assertThat(pool.hedged()).isZero();
      pass(Duration.ofMillis(100).plus(TICK));
      assertThat(pool.hedged()).isOne();
      Received hedge = next();
      assertThat(hedge.teacher()).isNotEqualTo(slow.teacher());
      assertThat(hedge.signal().getKey()).isEqualTo(slow.signal().getKey());
      pass(Duration.ofSeconds(1));
      assertThat(pool.hedged()).isOne();

      answerAndWait(hedge, Duration.ofSeconds(1));
      answer(slow, Duration.ofSeconds(4));
      loop.runUntil(() -> pool.duplicates() == 1);
      assertThat(answers).containsExactly(0);
      assertThat(pool.redone()).isZero();
    }
  }

  @Test
  void hedge_theFirstOneIsLost_itsCopyIsNotGivenOutAgain() {
    hedgeFraction = 0.5;
    try (TeacherPool pool = open(3)) {
      measure(pool, 3);
      begin(pool, 2);
      submit(pool, 2, 0);
      Received slow = next();
      pass(Duration.ofSeconds(3));
      Received hedge = next();

      slow.out().onError(io.grpc.Status.UNAVAILABLE.asRuntimeException());
      loop.runUntil(() -> pool.ready() == 2);

      assertThat(pool.redone()).isZero();
      assertThat(pool.waiting()).isZero();
      answerAndWait(hedge, Duration.ofSeconds(1));
      assertThat(answers).containsExactly(0);
    }
  }

  @Test
  void draining_announced_finishesWhatItHasAndGetsNoMore() {
    try (TeacherPool pool = open(2)) {
      Received last = silent(pool);
      last.out().onNext(TeacherSignal.newBuilder().setDraining(true).build());
      loop.runUntil(() -> pool.ready() == 1);
      assertThat(notices).anyMatch(n -> n.contains("is shutting down; it gets no more work"));

      submit(pool, 2, 2);
      submit(pool, 2, 3);
      List<Received> others = List.of(next(), next());
      assertThat(others)
          .extracting(Received::teacher)
          .containsExactly(1 - last.teacher(), 1 - last.teacher());
      answerAndWait(last, Duration.ofSeconds(1));
      others.forEach(what -> answerAndWait(what, Duration.ofSeconds(1)));

      assertThat(answers).containsExactlyInAnyOrder(0, 1, 2, 3);
      assertThat(pool.redone()).isZero();
      // Its successor, or itself if it stays after all.
      pass(Duration.ofSeconds(1));
      loop.runUntil(() -> pool.ready() == 2);
    }
  }

  @Test
  void name_newAddress_joinsAndGetsWork() {
    List<String> addresses = new CopyOnWriteArrayList<>(List.of(serve()));
    PeerName name = new PeerName("dns:teachers:9091", () -> addresses, this::peer);
    try (TeacherPool pool = pool(new TeacherPeers(List.of(), List.of(name)))) {
      pool.open();
      assertThat(pool.ready()).isOne();

      addresses.add(serve());
      // It is looked up every 5 s.
      pass(Duration.ofSeconds(5).plus(TICK));
      loop.runUntil(() -> pool.ready() == 2);

      assertThat(notices).anyMatch(n -> n.contains("joins the run, as one of dns:teachers:9091"));
      begin(pool, 1);
      submit(pool, 1, 0);
      submit(pool, 1, 1);
      assertThat(List.of(next(), next()))
          .extracting(Received::teacher)
          .containsExactlyInAnyOrder(0, 1);
    }
  }

  @Test
  void name_addressGone_finishesWhatItHasThenItsChannelIsClosed() {
    List<String> addresses = new CopyOnWriteArrayList<>(List.of(serve(), serve()));
    PeerName name = new PeerName("dns:teachers:9091", () -> addresses, this::peer);
    try (TeacherPool pool = pool(new TeacherPeers(List.of(), List.of(name)))) {
      pool.open();
      begin(pool, 1);
      submit(pool, 1, 0);
      submit(pool, 1, 1);
      List<Received> both = List.of(next(), next());

      addresses.remove(0);
      pass(Duration.ofSeconds(5).plus(TICK));
      loop.runUntil(() -> pool.ready() == 1);
      submit(pool, 1, 2);
      assertThat(next().teacher()).isEqualTo(1);
      assertThat(channels.get(0).isShutdown()).isFalse();
      assertThat(pool.vacant()).isEmpty();
      both.stream()
          .filter(what -> what.teacher() == 0)
          .forEach(what -> answerAndWait(what, Duration.ofSeconds(1)));
      assertThat(pool.vacant()).containsExactly(0);
      assertThat(shown.registry().scrape())
          .contains("maskedkd_teacher_up{role=\"coordinator\",teacher=\"1\"} 1.0")
          .doesNotContain("teacher=\"0\"");

      assertThat(channels.get(0).isShutdown()).isTrue();
      assertThat(pool.size()).isEqualTo(2);
      // Its place is free from the next step on.
      begin(pool, 2);
      addresses.add(serve());
      pass(Duration.ofSeconds(5).plus(TICK));
      loop.runUntil(() -> pool.ready() == 2);
      assertThat(pool.size()).isEqualTo(2);
    }
  }

  @Test
  void name_unknownForAWhile_takesNobodyAway() {
    String address = serve();
    AtomicBoolean known = new AtomicBoolean(true);
    PeerName name =
        new PeerName(
            "dns:teachers:9091",
            () -> {
              if (!known.get()) {
                throw new UnknownHostException("teachers");
              }
              return List.of(address);
            },
            this::peer);
    try (TeacherPool pool = pool(new TeacherPeers(List.of(), List.of(name)))) {
      pool.open();
      known.set(false);
      pass(Duration.ofSeconds(5).plus(TICK));
      loop.runUntil(() -> notices.stream().anyMatch(n -> n.contains("has no address")));
      assertThat(pool.ready()).isOne();
    }
  }

  @Test
  void joiner_otherWeights_isLeftOutAndNotedOnceWithBothDigests() {
    List<String> addresses = new CopyOnWriteArrayList<>(List.of(serve()));
    PeerName name = new PeerName("dns:teachers:9091", () -> addresses, this::peer);
    try (TeacherPool pool = pool(new TeacherPeers(List.of(), List.of(name)))) {
      pool.open();
      String wrong = serve();
      AtomicInteger asked = new AtomicInteger();
      teachers.get(1).opening =
          opened -> {
            asked.incrementAndGet();
            TeacherOpened.Builder changed = opened.toBuilder();
            changed.getModelBuilder().setWeightsDigest("f00d");
            return changed.build();
          };
      addresses.add(wrong);
      pass(Duration.ofSeconds(5).plus(TICK));
      loop.runUntil(() -> notices.stream().anyMatch(n -> n.contains("f00d")));
      for (int times = 2; times <= 3; times++) {
        int so = times;
        pass(Duration.ofSeconds(3).plus(TICK));
        loop.runUntil(() -> asked.get() == so);
        loop.pause(Duration.ZERO);
      }

      assertThat(pool.ready()).isOne();
      assertThat(notices)
          .filteredOn(n -> n.contains("f00d"))
          .singleElement()
          .asString()
          .contains("cafe")
          .contains("the run goes on without it");
    }
  }

  private void otherThreads(int teacher, String threads) {
    teachers.get(teacher).opening =
        opened ->
            opened.toBuilder()
                .setNumerics(Numerics.newBuilder().putFacts("threads", threads))
                .build();
  }

  @Test
  void numerics_differ_areRefusedWithBothValues() {
    TeacherPeers peers = listed(2);
    otherThreads(0, "4");
    otherThreads(1, "8");
    try (TeacherPool pool = pool(peers)) {
      RunException e = TrainingRunTest.failure(pool::open);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e)
          .hasMessageMatching(".*threads is (4, but 8|8, but 4) there.*")
          .hasMessageContaining("deterministic=false");
    }
  }

  @Test
  void numerics_differWhereThatIsAllowed_areNoted() {
    TeacherPeers peers = listed(2);
    otherThreads(0, "4");
    otherThreads(1, "8");
    try (TeacherPool pool = pool(peers, /* deterministic= */ false)) {
      pool.open();

      assertThat(pool.ready()).isEqualTo(2);
      assertThat(notices).anyMatch(n -> n.contains("computes otherwise than"));
    }
  }

  @Test
  void absence_ofAllTeachers_isSaidAtGrowingIntervalsAndEndsTheRunAfterTheBudget() {
    try (TeacherPool pool = open(1)) {
      assertThat(readiness).last().isEqualTo("starting");
      servers.get(0).shutdownNow();
      loop.runUntil(() -> pool.ready() == 0);

      RunException e = TrainingRunTest.failure(() -> pass(BUDGET.plus(TICK)));

      assertThat(e.exitCode()).isEqualTo(ExitCode.PEER_AWAY);
      assertThat(e).hasMessageContaining("no teacher for 120 s");
      assertThat(readiness).last().asString().startsWith("no teacher: teacher ");
      assertThat(notices.stream().filter(n -> n.startsWith("WARNING: no teacher")).toList())
          .extracting(n -> n.replaceAll(",.*", ""))
          .containsExactly(
              "WARNING: no teacher for 2 s",
              "WARNING: no teacher for 4 s",
              "WARNING: no teacher for 8 s",
              "WARNING: no teacher for 16 s",
              "WARNING: no teacher for 32 s",
              "WARNING: no teacher for 64 s");
    }
  }
}
