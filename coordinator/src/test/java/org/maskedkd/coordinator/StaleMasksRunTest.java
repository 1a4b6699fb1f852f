package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * The toy's student chooses by brightness whatever its weights, so that stale masks are fresh ones
 * and every run must come to what plain training comes to. Four steps an epoch.
 */
@Timeout(60)
class StaleMasksRunTest {

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1 | [2, 3, 4, 1] | 10 | eager | 1",
        "2 | [2, 3, 4, 1] | 5 | eager | 2",
        "1 | 2 | 10 | fill-drain | 2",
        "3 | 10 | 4 | eager | 7",
      })
  void run_anyTeachersAndSizes_learnsAndLooksAheadInsideOfEpochs(
      int teachers, String sizes, int window, String order, int stale) throws IOException {
    try (House house = house(teachers)) {
      ExitCode code =
          house.train(
              "schedule.micro-batches=" + sizes,
              "schedule.window=" + window,
              "schedule.order=" + order,
              "schedule.stale-masks=" + stale);

      assertThat(code).isEqualTo(ExitCode.DONE);
      TrainingRunTest.assertLearned(house, 8, true);
      // A checkpoint, and an evaluation, come after steps 4 and 8.
      assertThat(house.student.plans)
          .extracting(StepPlan::getStaleMicroBatches)
          .containsExactly(0, stale, stale, stale, 0, stale, stale, stale);
      assertThat(house.student.plans)
          .extracting(StepPlan::getAheadSizesCount)
          .containsExactly(stale, stale, stale, 0, stale, stale, stale, 0);
      int samples =
          house.student.plans.get(0).getMicroBatchSizesList().subList(0, stale).stream()
              .mapToInt(Integer::intValue)
              .sum();
      List<StepLine> steps = steps();
      assertThat(steps.get(0).staleMaskFraction()).isNull();
      assertThat(steps.get(4).maskAgreement()).isNull();
      assertThat(steps.get(1).staleMaskFraction()).isCloseTo(samples / 10., within(1e-12));
      assertThat(steps.get(7).maskAgreement()).isEqualTo(1);
      assertThat(house.printed())
          .contains(
              "stale masks: "
                  + Progress.percent(6 * samples / 80.)
                  + " of the images; of the patches kept for them 100.0 %");
    }
  }

  @Test
  void run_withoutTheOption_saysNothingOfIt() throws IOException {
    try (House house = house(1)) {
      house.train();

      assertThat(house.printed()).doesNotContain("stale masks");
      assertThat(Files.readString(dir.resolve("metrics.jsonl")))
          .doesNotContain("stale")
          .doesNotContain("agreement");
      assertThat(Files.readString(dir.resolve("plans.jsonl"))).doesNotContain("stale");
    }
  }

  @Test
  void run_studentStillAtStep_teacherHasBegunTheNext() {
    try (House house = house(1)) {
      List<MicroBatchKey> before = Collections.synchronizedList(new ArrayList<>());
      CountDownLatch begun = new CountDownLatch(1);
      house.teachers.get(0).answering =
          (signal, out) -> {
            out.onNext(signal);
            if (signal.getKey().getStep() == 2) {
              begun.countDown();
            }
          };
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 1) {
              await(begun);
              before.addAll(house.teachers.get(0).received);
            }
          };

      house.train("schedule.stale-masks=2", "schedule.epochs=1");

      TrainingRunTest.assertLearned(house, 4, true);
      assertThat(before.stream().filter(key -> key.getStep() == 2))
          .extracting(MicroBatchKey::getIndex)
          .startsWith(0);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void run_teacherLostWithTheNextStepsWork_itIsDoneAgain() throws IOException {
    try (House house = house(2)) {
      FakeTeacher first = house.teachers.get(0);
      int[] left = {3};
      FakeTeacher.Answering breaking =
          (signal, out) -> {
            if (signal.getKey().getStep() > 1 && signal.getKey().getIndex() < 2 && left[0]-- > 0) {
              out.onError(io.grpc.Status.UNAVAILABLE.asRuntimeException());
            } else {
              out.onNext(signal);
            }
          };
      first.answering = breaking;

      house.train("schedule.stale-masks=2");

      TrainingRunTest.assertLearned(house, 8, true);
    }
  }

  @Test
  void resume_afterAStopInsideAnEpoch_beginsWithoutStaleMasksAndReplaysTheSame()
      throws IOException {
    Path replayed = dir.resolve("replayed");
    try (House house = new House(dir.resolve("stopped"), 1);
        House again = new House(replayed, 1)) {
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 2 && key.getIndex() == 0) {
              house.stop(ExitCode.INTERRUPTED);
            }
          };
      assertThat(house.train("schedule.stale-masks=1")).isEqualTo(ExitCode.INTERRUPTED);
      house.restartStudent();
      assertThat(house.resume("schedule.stale-masks=1")).isEqualTo(ExitCode.DONE);

      TrainingRunTest.assertLearned(house, 8, true);
      int resumed = (int) house.student.plans.get(0).getStep();
      List<Integer> expected = new ArrayList<>(List.of(0, 1, 1, 1, 0, 1, 1, 1));
      expected.set(resumed - 1, 0);
      Path plans = dir.resolve("stopped").resolve("plans.jsonl");
      assertThat(
              JsonLines.read(plans).stream().map(line -> line.path("stale_micro_batches").asInt()))
          .isEqualTo(expected);

      again.train(new TrainingRun.Options(false, 0, plans, false), "schedule.stale-masks=1");
      assertThat(again.student.plans)
          .extracting(StepPlan::getStaleMicroBatches)
          .isEqualTo(expected);
      // What nobody would use is not looked at.
      assertThat(again.student.plans.get(resumed - 2).getAheadSizesCount()).isZero();
      assertThat(again.student.weights).isEqualTo(house.student.weights);
    }
  }

  @Test
  void resume_withAnotherNumber_isRefused() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      house.restartStudent();

      RunException e = TrainingRunTest.failure(() -> house.resume("schedule.stale-masks=1"));

      assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
      assertThat(e).hasMessageContaining("schedule.stale-masks was 0 and is now 1");
    }
  }

  @Test
  void resume_withAnotherCut_isRefusedSinceOtherMasksWouldBeStale() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1", "schedule.stale-masks=1");
      house.restartStudent();

      RunException e =
          TrainingRunTest.failure(
              () -> house.resume("schedule.stale-masks=1", "schedule.micro-batches=5"));

      assertThat(e).hasMessageContaining("schedule.micro-batches was [2,3,4,1] and is now 5");
    }
  }

  @Test
  void digest_switchedOff_isThatOfReleasesWithoutTheKey() {
    // As the release before wrote it for this very configuration.
    assertThat(Resumption.digest(House.config(true)))
        .isEqualTo("add3a99f79ac6cb8dca2f3ce6dfc5adfc8e8e1a685ff43272d75cc96252c555a")
        .isNotEqualTo(Resumption.digest(House.config(true, "schedule.stale-masks=1")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-1 | seed=0 | schedule.stale-masks is -1, expected at least 0",
        "1 | masking.criterion=random | masking.criterion is random and masking.keep 0.5",
        "1 | masking.keep=1 | nothing waits for the student's choice",
        "1 | schedule.order=masked-whole | eager or fill-drain, where teachers follow the forwards at once, found masked-whole",
        "1 | schedule.order=sequential | found sequential",
        "1 | schedule.micro-batches=auto | as a number or sizes, found auto",
        "5 | seed=0 | schedule.stale-masks is 5, expected at most the 4 micro-batches",
        "1 | distillation.kind=none | which needs a teacher, found none",
      })
  void config_ofNoUse_isRefusedWithWhatWasExpected(String stale, String other, String message) {
    RunException e =
        TrainingRunTest.failure(() -> House.config(true, "schedule.stale-masks=" + stale, other));

    assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(e).hasMessageContaining(message);
  }

  private House house(int teachers) {
    return new House(dir, teachers);
  }

  private List<StepLine> steps() {
    try (RunDirectory directory = RunDirectory.resume(dir)) {
      return directory.steps();
    }
  }
}
