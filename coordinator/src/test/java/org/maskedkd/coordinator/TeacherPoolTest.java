package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * The pool inside a run. That the weights come out right shows that every signal met its own
 * logits.
 */
@Timeout(60)
class TeacherPoolTest {

  private static final String TEN = "schedule.micro-batches=10";

  @TempDir Path dir;

  @Test
  void answers_outOfOrder_arePairedByKey() {
    try (House house = new House(dir, 1)) {
      // Holds every first answer back until the second is there.
      List<TeacherSignal> held = new ArrayList<>();
      house.teachers.get(0).answering =
          (signal, out) -> {
            if (signal.getKey().getStep() > 0 && held.isEmpty()) {
              held.add(signal);
            } else {
              out.onNext(signal);
              held.forEach(out::onNext);
              held.clear();
            }
          };

      assertThat(house.train(TEN)).isEqualTo(ExitCode.DONE);
      TrainingRunTest.assertLearned(house, 8, true);
    }
  }

  @Test
  void pull_oneTeacherStuck_theOthersTakeItsShareInIndexOrder() {
    try (House house = new House(dir, 3)) {
      // It can have two micro-batches at most, so eight of the first step's ten are the others'.
      CountDownLatch others = new CountDownLatch(8);
      for (FakeTeacher other : house.teachers.subList(1, 3)) {
        other.answering =
            (signal, out) -> {
              if (signal.getKey().getStep() > 0) {
                others.countDown();
              }
              out.onNext(signal);
            };
      }
      FakeTeacher stuck = house.teachers.get(0);
      stuck.answering =
          (signal, out) -> {
            if (signal.getKey().getStep() == 1) {
              await(others);
            }
            out.onNext(signal);
          };

      // Without a teacher check none has answered before, so the first one begins.
      assertThat(house.train(TEN, "schedule.epochs=1", "evaluation.teacher-check-images=0"))
          .isEqualTo(ExitCode.DONE);

      TrainingRunTest.assertLearned(house, 4, true);
      assertThat(ofStep(stuck, 1)).hasSizeBetween(1, 2).startsWith(0);
      for (FakeTeacher teacher : house.teachers) {
        assertThat(ofStep(teacher, 1)).isSorted();
      }
      assertThat(house.teachers.stream().flatMap(t -> ofStep(t, 1).stream()))
          .containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    }
  }

  @Test
  void failure_ofATeacher_itsWorkIsDoneAgainExactlyOnce() {
    try (House house = new House(dir, 2)) {
      house.teachers.get(0).breakOn(1);

      assertThat(house.train(TEN)).isEqualTo(ExitCode.DONE);

      TrainingRunTest.assertLearned(house, 8, true);
      assertThat(house.printed()).contains("teacher 0", "pulled the plug");
      long redone = redone();
      assertThat(redone).isBetween(1L, 2L);
      assertThat(deliveries(house).values().stream().filter(n -> n == 2).count())
          .isLessThanOrEqualTo(redone);
      assertThat(deliveries(house).values()).allMatch(n -> n <= 2);
    }
  }

  @Test
  void failure_ofTheOnlyTeacher_itIsReachedAgain() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).breakOn(3);

      assertThat(house.train(TEN)).isEqualTo(ExitCode.DONE);
      TrainingRunTest.assertLearned(house, 8, true);
      assertThat(house.printed()).contains("is there again");
    }
  }

  @Test
  void failure_againAndAgainOnOneMicroBatch_endsTheRun() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).breakOn(100);

      RunException e = TrainingRunTest.failure(() -> house.train(TEN));

      assertThat(e.exitCode()).isEqualTo(ExitCode.INTERNAL);
      assertThat(e).hasMessageContaining("of step 1 was lost 5 times");
    }
  }

  @Test
  void silence_pastTheDeadline_countsAsFailure() {
    try (House house = new House(dir, 2)) {
      house.laterAnswer = Duration.ofMillis(200);
      boolean[] silent = {false};
      house.teachers.get(0).answering =
          (signal, out) -> {
            silent[0] |= signal.getKey().getStep() == 2;
            if (!silent[0]) {
              out.onNext(signal);
            }
          };

      assertThat(house.train(TEN, "schedule.epochs=1")).isEqualTo(ExitCode.DONE);
      TrainingRunTest.assertLearned(house, 4, true);
      assertThat(house.printed()).contains("has answered nothing for");
    }
  }

  @Test
  void name_replicaThatComesInTheMidstOfARun_getsWork() {
    try (House house = new House(dir, 0)) {
      house.behindName.addAll(List.of(new FakeTeacher(), new FakeTeacher()));
      house.there = 1;
      CountDownLatch joined = new CountDownLatch(1);
      house.behindName.get(0).answering =
          (signal, out) -> {
            if (signal.getKey().getStep() == 2) {
              house.there = 2;
            } else if (signal.getKey().getStep() == 3) {
              await(joined);
            }
            out.onNext(signal);
          };
      house.behindName.get(1).answering =
          (signal, out) -> {
            joined.countDown();
            out.onNext(signal);
          };

      assertThat(house.train(TEN)).isEqualTo(ExitCode.DONE);

      TrainingRunTest.assertLearned(house, 8, true);
      assertThat(house.printed()).contains("joins the run, as one of dns:teachers:9091");
    }
  }

  @Test
  void readiness_ofARun_saysWhoIsMissing() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).breakOn(1);

      assertThat(house.train(TEN)).isEqualTo(ExitCode.DONE);

      assertThat(house.readiness)
          .startsWith("false starting")
          .contains("true training, step 1", "true training, step 8")
          .anyMatch(said -> said.matches("false no teacher: .*pulled the plug.*"));
    }
  }

  @Test
  void failure_ofAllTeachersForGood_namesTheCheckpoint() {
    try (House house = new House(dir, 1)) {
      house.teacherPatience = Duration.ofMillis(100);
      boolean[] gone = {false};
      FakeTeacher teacher = house.teachers.get(0);
      teacher.answering =
          (signal, out) -> {
            gone[0] |= signal.getKey().getStep() == 6;
            if (gone[0]) {
              out.onError(io.grpc.Status.UNAVAILABLE.asRuntimeException());
            } else {
              out.onNext(signal);
            }
          };
      teacher.opening =
          opened -> {
            if (gone[0]) {
              throw io.grpc.Status.UNAVAILABLE.asRuntimeException();
            }
            return opened;
          };

      RunException e = TrainingRunTest.failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.PEER_AWAY);
      assertThat(e)
          .hasMessageContaining("no teacher for")
          .hasMessageContaining("the last good checkpoint is that of step 4")
          .hasMessageContaining("--resume");
    }
  }

  @Test
  void resume_teachersOfOtherNumerics_isRefusedWithBothValues() {
    try (House house = new House(dir, 1)) {
      computes(house, "4");
      house.train(new TrainingRun.Options(false, 4, null, false));
      computes(house, "8");

      RunException e = TrainingRunTest.failure(house::resume);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e)
          .hasMessageContaining(
              "the teacher computes otherwise than before: threads was 4 and is now 8");
      assertThat(house.resume("deterministic=false")).isEqualTo(ExitCode.DONE);
    }
  }

  private static void computes(House house, String threads) {
    house.teachers.get(0).opening =
        opened ->
            opened.toBuilder()
                .setNumerics(Numerics.newBuilder().putFacts("threads", threads))
                .build();
  }

  @Test
  void open_noTeacherThere_endsAfterThePatience() {
    try (House house = new House(dir, 2)) {
      house.teacherPatience = Duration.ofMillis(100);
      for (FakeTeacher teacher : house.teachers) {
        teacher.opening =
            opened -> {
              throw io.grpc.Status.UNAVAILABLE.withDescription("not yet").asRuntimeException();
            };
      }

      RunException e = TrainingRunTest.failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.PEER_AWAY);
      assertThat(e)
          .hasMessageContaining("no teacher for")
          .hasMessageContaining("teacher 0")
          .hasMessageContaining("teacher 1");
    }
  }

  @Test
  void signals_duplicateOrOfAnotherAttemptStepOrRun_areDroppedAndCounted() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).answering =
          (signal, out) -> {
            MicroBatchKey key = signal.getKey();
            wrong(out, signal, key.toBuilder().setAttempt(key.getAttempt() + 1).build());
            wrong(out, signal, key.toBuilder().setStep(key.getStep() + 1).build());
            wrong(out, signal, key.toBuilder().setRun("another").build());
            out.onNext(signal);
            out.onNext(signal);
          };

      assertThat(house.train("schedule.epochs=1", "evaluation.teacher-check-images=0"))
          .isEqualTo(ExitCode.DONE);

      TrainingRunTest.assertLearned(house, 4, true);
      Matcher counts =
          Pattern.compile("(\\d+) duplicate and (\\d+) stale signals were dropped")
              .matcher(house.printed());
      assertThat(counts.find()).isTrue();
      long duplicates = Long.parseLong(counts.group(1));
      long stale = Long.parseLong(counts.group(2));
      // 16 micro-batches. The run may be over before the last duplicate comes, and one that comes
      // when the next step has begun counts as stale.
      assertThat(stale).isGreaterThanOrEqualTo(3 * 16);
      assertThat(stale + duplicates).isBetween(4L * 16 - 1, 4L * 16);
    }
  }

  /** A signal that must not count, with values that would show. */
  private static void wrong(
      StreamObserver<TeacherSignal> out, TeacherSignal signal, MicroBatchKey key) {
    float[] values = new float[(int) signal.getTensors(0).getShape(0) * Toy.CLASSES];
    values[0] = 1000;
    out.onNext(
        signal.toBuilder()
            .setKey(key)
            .setTensors(
                0,
                org.maskedkd.runtime.TensorFrames.floats(
                    "logits", values, signal.getTensors(0).getShape(0), Toy.CLASSES))
            .build());
  }

  @Test
  void relay_reachesTheTeacherBeforeTheLastForward() {
    try (House house = new House(dir, 1)) {
      CountDownLatch relayed = new CountDownLatch(1);
      house.teachers.get(0).answering =
          (signal, out) -> {
            if (signal.getKey().getStep() == 1) {
              relayed.countDown();
            }
            out.onNext(signal);
          };
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 1 && key.getIndex() == 3) {
              await(relayed);
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);
    }
  }

  @Test
  void plan_ofTheNextStep_isThereBeforeTheStepEnds() {
    try (House house = new House(dir, 1)) {
      Map<Long, CountDownLatch> arrived = new HashMap<>();
      for (long step = 1; step <= 9; step++) {
        arrived.put(step, new CountDownLatch(1));
      }
      house.student.onPlan = plan -> latch(arrived, plan.getStep()).countDown();
      house.student.beforeDone =
          plan -> {
            // An evaluation and a checkpoint come between epochs.
            if (plan.getStep() % 4 != 0) {
              await(latch(arrived, plan.getStep() + 1));
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);
    }
  }

  private static CountDownLatch latch(Map<Long, CountDownLatch> latches, long step) {
    CountDownLatch latch = latches.get(step);
    if (latch == null) {
      throw new IllegalStateException("step " + step);
    }
    return latch;
  }

  @Test
  void refusal_ofAMicroBatch_endsTheRunWithTheTeachersWords() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).answering =
          (signal, out) ->
              out.onNext(
                  TeacherSignal.newBuilder()
                      .setKey(signal.getKey())
                      .setRefused("index 7 of 4 patches")
                      .build());

      RunException e =
          TrainingRunTest.failure(() -> house.train("evaluation.teacher-check-images=0"));

      assertThat(e)
          .hasMessageContaining("teacher 0 refused micro-batch 0 of step 1: index 7 of 4 patches");
      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    }
  }

  @Test
  void handshake_otherProtocol_isRefusedWithBothVersions() {
    int other = Protocol.PROTOCOL_VERSION_VALUE + 1;
    RunException e = refusal(opened -> opened.setProtocolVersion(other));

    assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    assertThat(e)
        .hasMessageContaining("version " + other)
        .hasMessageContaining("coordinator " + Protocol.PROTOCOL_VERSION_VALUE);
  }

  @Test
  void handshake_otherWeights_areRefusedWithBothDigests() {
    RunException e = refusal(opened -> opened.getModelBuilder().setWeightsDigest("f00d"));

    assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    assertThat(e).hasMessageContaining("cafe").hasMessageContaining("f00d");
  }

  @Test
  void handshake_otherGrid_isRefused() {
    RunException e =
        refusal(opened -> opened.getModelBuilder().setGrid(Toy.GRID.toBuilder().setPatch(4)));

    assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
    assertThat(e).hasMessageContaining("patch: 4");
  }

  @Test
  void handshake_otherClasses_areRefusedWithBothCounts() {
    try (House house = new House(dir, 1)) {
      house.teachers.get(0).opening =
          opened ->
              opened.toBuilder().setModel(opened.getModel().toBuilder().setClasses(1000)).build();

      RunException e = TrainingRunTest.failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.BAD_DATA);
      assertThat(e).hasMessageContaining("1000 classes").hasMessageContaining("has 3");
    }
  }

  private RunException refusal(java.util.function.Consumer<TeacherOpened.Builder> change) {
    try (House house = new House(dir, 2)) {
      house.teachers.get(1).opening =
          opened -> {
            TeacherOpened.Builder changed = opened.toBuilder();
            change.accept(changed);
            return changed.build();
          };
      return TrainingRunTest.failure(house::train);
    }
  }

  private long redone() {
    try (RunDirectory directory = RunDirectory.resume(dir)) {
      return directory.steps().stream().mapToLong(s -> s.redone() == null ? 0 : s.redone()).sum();
    }
  }

  private static Map<MicroBatchKey, Integer> deliveries(House house) {
    Map<MicroBatchKey, Integer> counts = new HashMap<>();
    house.teachers.stream()
        .flatMap(t -> List.copyOf(t.received).stream())
        .forEach(key -> counts.merge(key, 1, Integer::sum));
    return counts;
  }

  private static List<Integer> ofStep(FakeTeacher teacher, long step) {
    Stream<MicroBatchKey> keys = List.copyOf(teacher.received).stream();
    return keys.filter(k -> k.getStep() == step).map(MicroBatchKey::getIndex).toList();
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(20, TimeUnit.SECONDS)) {
        throw new IllegalStateException("what was waited for never came");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
