package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.StudentEvent.EventCase;
import org.maskedkd.proto.v1.TeacherSignal;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** A student that goes away within a run, which ends as if it had not. */
@Timeout(60)
class RecoveryTest {

  private static final long STEPS = 8;

  @TempDir Path dir;
  @TempDir Path undisturbed;

  private static House house(Path directory, int teachers) {
    return new House(directory, teachers);
  }

  /** The weights and the losses are those of a run in which nothing happened. */
  private void assertAsUndisturbed(House house, String... overrides) throws IOException {
    try (House reference = house(undisturbed, house.teachers.size())) {
      assertThat(reference.train(overrides)).isEqualTo(ExitCode.DONE);
      assertThat(house.student.weights).isDeepEqualTo(reference.student.weights);
      assertThat(losses(dir)).isEqualTo(losses(undisturbed));
      assertThat(steps(dir)).isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
      assertThat(RunDirectoryTest.lines(dir.resolve("epochs.jsonl")))
          .hasSameSizeAs(RunDirectoryTest.lines(undisturbed.resolve("epochs.jsonl")));
    }
  }

  private static List<StepLine> lines(Path directory) {
    try (RunDirectory opened = RunDirectory.resume(directory)) {
      return opened.steps();
    }
  }

  private static List<Double> losses(Path directory) {
    return lines(directory).stream().map(StepLine::loss).toList();
  }

  private static List<Long> steps(Path directory) {
    return lines(directory).stream().map(StepLine::step).toList();
  }

  @Test
  void run_studentKilledInAStep_goesOnFromItsCheckpoint() throws IOException {
    try (House house = house(dir, 1)) {
      AtomicInteger kills = new AtomicInteger();
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 7 && kills.getAndIncrement() == 0) {
              throw house.student.die();
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed())
          .contains("connection cut")
          .contains("waiting for it to come back")
          .contains("going on after step 4");
      assertThat(house.student.plans)
          .extracting(plan -> plan.getStep() + "." + plan.getAttempt())
          .contains("7.1", "5.2", "6.2", "7.2", "8.2");
      assertAsUndisturbed(house);
    }
  }

  @Test
  void run_studentKilledBeforeItsFirstCheckpoint_beginsAgain() throws IOException {
    try (House house = house(dir, 2)) {
      AtomicInteger kills = new AtomicInteger();
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 2 && key.getIndex() == 1 && kills.getAndIncrement() == 0) {
              throw house.student.die();
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed()).contains("the run begins again at step 1");
      assertAsUndisturbed(house);
    }
  }

  @Test
  void run_studentKilledAfterItsCheckpointBeforeItSaysSo_goesOnFromThere() throws IOException {
    try (House house = house(dir, 1)) {
      AtomicInteger kills = new AtomicInteger();
      house.student.sending =
          event -> {
            if (event.hasCheckpointed() && kills.getAndIncrement() == 0) {
              throw house.student.die();
            }
            return List.of(event);
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed()).contains("going on after step 4");
      assertAsUndisturbed(house);
    }
  }

  @Test
  void run_connectionCut_goesOnWithTheStudentThatStillHasTheRun() throws IOException {
    try (House house = house(dir, 1)) {
      AtomicInteger cuts = new AtomicInteger();
      house.student.sending =
          event -> {
            if (event.getEventCase() == EventCase.STEP_DONE
                && event.getStepDone().getRecord().getStep() == 6
                && cuts.getAndIncrement() == 0) {
              throw FakeStudent.connectionCut();
            }
            return List.of(event);
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed()).contains("still has the run, at step 6");
      assertAsUndisturbed(house);
    }
  }

  @Test
  void run_teacherAnswersAStepThatWasGivenUp_dropsTheAnswer() throws IOException {
    try (House house = house(dir, 1)) {
      AtomicInteger kills = new AtomicInteger();
      CountDownLatch asked = new CountDownLatch(1);
      List<TeacherSignal> late = Collections.synchronizedList(new ArrayList<>());
      house.teachers.get(0).answering =
          (signal, out) -> {
            boolean first = signal.getKey().getAttempt() == 1;
            if (first && signal.getKey().getStep() == 6 && kills.get() == 0) {
              late.add(signal);
              asked.countDown();
            } else {
              answerAll(late, out);
              out.onNext(signal);
            }
          };
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 6 && key.getIndex() == 1 && kills.get() == 0) {
              await(asked);
              kills.incrementAndGet();
              throw house.student.die();
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed()).contains("stale signals were dropped");
      assertAsUndisturbed(house);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void answerAll(List<TeacherSignal> late, StreamObserver<TeacherSignal> out) {
    late.forEach(out::onNext);
    late.clear();
  }

  @Test
  void run_studentDiesInTheSameStepEachTime_endsAndSaysFromWhereToGoOn() {
    try (House house = house(dir, 1)) {
      AtomicInteger kills = new AtomicInteger();
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 6) {
              kills.incrementAndGet();
              throw house.student.die();
            }
          };

      RunException e = TrainingRunTest.failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.PEER_AWAY);
      assertThat(e)
          .hasMessageContaining("5 times before step 6 was done")
          .hasMessageContaining("--resume")
          .hasMessageContaining(dir.resolve("checkpoints").toString());
      assertThat(kills).hasValue(5);
    }
  }

  @Test
  void run_stopRequestedWhileTheStudentIsAway_endsWithTheSignalsCode() {
    try (House house = house(dir, 1)) {
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 6) {
              house.stop(ExitCode.TERMINATED);
              throw house.student.die();
            }
          };

      RunException e = TrainingRunTest.failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.TERMINATED);
      assertThat(e).hasMessageContaining("while the student was away");
    }
  }
}
