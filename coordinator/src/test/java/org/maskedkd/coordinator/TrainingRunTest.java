package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.proto.v1.EvaluateProgress;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Restored;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

@Timeout(60)
class TrainingRunTest {

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 4 | 10 | eager",
        "0 | 2 | 10 | masked-whole",
        "1 | 1 | 10 | eager",
        "1 | [2, 3, 4, 1] | 5 | eager",
        "3 | [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] | 4 | eager",
        "2 | 3 | 10 | fill-drain",
        "1 | [2, 3, 4, 1] | 4 | sequential",
        "2 | 4 | 10 | masked-whole",
        "2 | 4 | 10 | concurrent-full",
      })
  void run_anyTeachersSizesAndWindow_learnsWhatPlainTrainingLearns(
      int teachers, String sizes, int window, String order) throws IOException {
    try (House house = house(teachers)) {
      ExitCode code =
          house.train(
              "schedule.micro-batches=" + sizes,
              "schedule.window=" + window,
              "schedule.order=" + order,
              // The toy's student chooses nothing, so that its patches could go first.
              "masking.criterion=random");

      assertThat(code).isEqualTo(ExitCode.DONE);
      assertLearned(house, 8, teachers > 0);
      List<StepLine> steps = steps();
      assertThat(steps).extracting(StepLine::step).isEqualTo(oneTo(8));
      assertThat(steps.get(7).loss()).isLessThan(steps.get(0).loss());
      assertThat(steps.get(0).studentBusySeconds()).isCloseTo(0.1, within(1e-9));
      if (teachers > 0) {
        assertThat(steps.get(0).teacherBusySeconds()).isPositive();
        assertThat(steps.get(0).teachers()).isEqualTo(teachers);
      } else {
        assertThat(Files.readString(dir.resolve("metrics.jsonl"))).doesNotContain("teacher");
      }
      assertThat(RunDirectoryTest.lines(dir.resolve("plans.jsonl"))).hasSize(8);
      assertThat(RunDirectoryTest.lines(dir.resolve("epochs.jsonl"))).hasSize(2);
      assertThat(house.disk.checkpoints).containsOnlyKeys(4L, 8L);
      assertThat(house.disk.exports)
          .containsKeys("student.safetensors", "student-best.safetensors");
      assertThat(house.disk.exports.get("student.safetensors")).containsEntry("step", "8");
    }
  }

  @Test
  void run_auto_timesTheStagesAndPlansBySimulation() throws IOException {
    try (House house = house(2)) {
      house.student.slowerTogether = 1.5;
      assertThat(house.train("schedule.micro-batches=auto", "schedule.window=6"))
          .isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(house.printed())
          .contains("measured: teacher 0.100 ms + 4.00 ms an image")
          .contains("a forward takes 1.50 times as long, a backward 1.00, a teacher's forward 1.00")
          .contains("schedule: eager as [")
          .contains("no schedule less than 0.0");
      List<StepLine> steps = steps();
      assertThat(steps.subList(0, 6))
          .allMatch(step -> pipeline(step).predictedStepSeconds() == null);
      assertThat(steps.subList(6, 8))
          .allMatch(step -> pipeline(step).predictedStepSeconds() != null);
      List<String> plans = RunDirectoryTest.lines(dir.resolve("plans.jsonl"));
      // Two teachers: every one of the first, equal, micro-batches has its own cost.
      assertThat(plans.get(0)).contains("[2,2,1,1,1,1,1,1]");
      assertThat(plans.get(7)).doesNotContain("[2,2,1,1,1,1,1,1]").contains("\"window_samples\":6");
      JsonNode profile = JsonLines.JSON.readTree(dir.resolve("profile.json").toFile());
      assertThat(profile.get("forward").get(0).get("samples").asInt()).isEqualTo(1);
      assertThat(profile.get("slowness")).hasSize(2);
      assertThat(profile.get("together").get("forward").asDouble()).isCloseTo(1.5, within(1e-9));
    }
  }

  @Test
  void run_teachersThatMerge_areToldSoWithEveryRequest() {
    try (House house = house(1)) {
      house.train("teacher.merge=3", "schedule.profile=true");

      Map<String, Integer> merges = house.teachers.get(0).merges;
      // Step 0 is the check of the teacher.
      assertThat(merges).containsKeys("open", "profile", "step 0", "step 8");
      assertThat(merges.values()).containsOnly(3);
    }
  }

  @Test
  void run_anyRun_leavesATimelineWithArrowsAndAPicture() throws IOException {
    try (House house = house(2)) {
      house.train("timeline.steps=3");

      JsonNode trace = JsonLines.JSON.readTree(dir.resolve("timeline.json").toFile());
      Map<String, Long> phases = new HashMap<>();
      trace
          .get("traceEvents")
          .forEach(event -> phases.merge(event.get("ph").asText(), 1L, Long::sum));
      // Of each step: four micro-batches on the teachers, and what the toy student tells of itself.
      assertThat(phases).containsEntry("i", 3L).containsEntry("X", 3L * (4 + 2));
      assertThat(phases.get("s")).isEqualTo(phases.get("f")).isPositive();
      assertThat(trace.get("otherData").get("clock_error_seconds").asDouble()).isPositive();
      assertThat(Files.readString(dir.resolve("timeline.svg")))
          .startsWith("<svg")
          .contains("step 8");
      for (StepLine step : steps()) {
        pipeline(step)
            .idleSeconds()
            .forEach(
                (device, causes) ->
                    assertThat(causes)
                        .as(device)
                        .containsOnlyKeys("fill", "starved", "drain", "window", "transfer"));
        assertThat(pipeline(step).idleSeconds())
            .containsOnlyKeys("student", "teacher-0", "teacher-1");
      }
    }
  }

  @Test
  void run_newRun_writesAConfigurationThatReadsBackEqual() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");

      assertThat(ConfigLoader.load(dir.resolve("config.yaml"), List.of()))
          .isEqualTo(House.config(true, "schedule.epochs=1"));
    }
  }

  @Test
  void run_averagedWeightsAreBetter_areTheBestExported() {
    try (House house = house(0)) {
      house.student.sending =
          event ->
              event.hasEvaluated()
                  ? List.of(
                      progress(), topOne(event, event.getEvaluated().getId() % 2 == 1 ? 3 : 6))
                  : List.of(event);

      house.train("schedule.epochs=1", "ema.decay=0.9");

      assertThat(house.disk.exports.get("student-best.safetensors"))
          .containsEntry("weights", "averaged");
      assertThat(house.disk.exports.get("student.safetensors")).containsEntry("weights", "model");
      assertThat(house.printed()).contains("top-1 25.0 %", "averaged top-1 50.0 %", "best so far");
    }
  }

  private static StudentEvent progress() {
    return StudentEvent.newBuilder()
        .setEvaluateProgress(EvaluateProgress.newBuilder().setImages(1).setOf(12))
        .build();
  }

  private static StudentEvent topOne(StudentEvent event, long top1) {
    StudentEvent.Builder changed = event.toBuilder();
    changed.getEvaluatedBuilder().setTop1(top1);
    return changed.build();
  }

  @Test
  void run_teacherKnowsTheClasses_saysSo() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");

      assertThat(house.printed())
          .contains("teacher on 5 evaluation images: 100.0 % with all patches")
          .doesNotContain("WARNING");
      // Two probes of five images in micro-batches of four, before the first step.
      assertThat(house.teachers.get(0).received.subList(0, 4)).allMatch(k -> k.getStep() == 0);
    }
  }

  @Test
  void run_teacherIsNoBetterThanChance_warns() {
    try (House house = house(1)) {
      house.teachers.get(0).answering =
          (signal, out) ->
              out.onNext(
                  signal.toBuilder()
                      .setTensors(
                          0,
                          TensorFrames.floats(
                              "logits",
                              new float[(int) signal.getTensors(0).getShape(0) * 3],
                              signal.getTensors(0).getShape(0),
                              3))
                      .build());
      house.train("schedule.epochs=1", "evaluation.teacher-check-images=12");

      assertThat(house.printed()).contains("WARNING: that is near chance (33.3 %)");
    }
  }

  @Test
  void run_everyPlan_isOnTheDiskBeforeItIsSent() {
    try (House house = house(1)) {
      house.student.onPlan =
          plan ->
              assertThat(RunDirectoryTest.lines(dir.resolve("plans.jsonl")))
                  .anyMatch(line -> line.startsWith("{\"step\":" + plan.getStep() + ","));

      assertThat(house.train()).isEqualTo(ExitCode.DONE);
      assertThat(house.student.plans).hasSize(8);
    }
  }

  @Test
  void run_stopRequested_finishesTheStepAndCheckpoints_andResumesToTheSameWeights() {
    try (House house = house(2)) {
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 6 && key.getIndex() == 0) {
              house.stop(ExitCode.TERMINATED);
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.TERMINATED);
      assertThat(house.disk.checkpoints.lastKey()).isEqualTo(6);
      assertThat(house.student.plans).hasSize(6);

      house.restartStudent();
      assertThat(house.resume()).isEqualTo(ExitCode.DONE);
      assertLearned(house, 8, true);
      assertThat(steps()).extracting(StepLine::step).isEqualTo(oneTo(8));
      assertThat(steps()).extracting(StepLine::attempt).containsExactly(1, 1, 1, 1, 1, 1, 2, 2);
    }
  }

  @Test
  void run_stopRequestedAfterThePlanWentAhead_finishesThatStepToo() {
    try (House house = house(1)) {
      house.student.beforeDone =
          plan -> {
            if (plan.getStep() == 1) {
              house.stop(ExitCode.INTERRUPTED);
            }
          };

      assertThat(house.train()).isEqualTo(ExitCode.INTERRUPTED);
      assertThat(house.disk.checkpoints).containsOnlyKeys(2L);
    }
  }

  @Test
  void run_filesBeyondTheCheckpoint_areCutBackAtResume() throws IOException {
    try (House house = house(1)) {
      house.student.failingStep = 7;
      RunException e = failure(house::train);
      assertThat(e.exitCode()).isEqualTo(ExitCode.INTERNAL);
      assertThat(e)
          .hasMessageContaining("step 7")
          .hasMessageContaining("a picture was broken")
          .hasMessageContaining("checkpoint is that of step 4");
      // Half a line, as a process leaves it that dies while writing.
      for (String file : List.of("metrics.jsonl", "plans.jsonl", "epochs.jsonl")) {
        Files.writeString(
            dir.resolve(file), "{\"step\":4,\"epo", java.nio.file.StandardOpenOption.APPEND);
      }

      house.restartStudent();
      assertThat(house.resume()).isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(steps()).extracting(StepLine::step).isEqualTo(oneTo(8));
      assertThat(RunDirectoryTest.lines(dir.resolve("plans.jsonl"))).hasSize(8);
      assertThat(RunDirectoryTest.lines(dir.resolve("epochs.jsonl"))).hasSize(2);
    }
  }

  @Test
  void run_coordinatorLost_goesOnWithTheStudentThatStillHasTheRun() throws IOException {
    try (House house = house(1)) {
      house.student.failingStep = 7;
      failure(house::train);
      assertThat(Shown.value(house.metrics, Metric.CHECKPOINT_STEP)).isEqualTo(4);
      // The coordinator's last lines never reached the disk.
      List<String> metrics = RunDirectoryTest.lines(dir.resolve("metrics.jsonl"));
      Files.write(dir.resolve("metrics.jsonl"), metrics.subList(0, 5));
      house.student.failingStep = -1;
      house.metrics = new Metrics(Role.COORDINATOR);
      List<String> scrapes = new ArrayList<>();
      house.student.beforeForward = key -> scrapes.add(house.metrics.registry().scrape());

      assertThat(house.resume()).isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(steps()).extracting(StepLine::step).isEqualTo(oneTo(8));
      assertThat(house.printed()).contains("still has the run, at step 6");
      // Until the next one the new coordinator does not know of which step it is.
      assertThat(scrapes.get(0)).doesNotContain("maskedkd_checkpoint_step");
      assertThat(Shown.value(house.metrics, Metric.CHECKPOINT_STEP)).isEqualTo(8);
    }
  }

  @Test
  void run_coordinatorLostBeforeTheEvaluation_makesUpForItAndTheCheckpoint() throws IOException {
    try (House house = house(1)) {
      house.student.sending =
          event -> {
            if (event.hasEvaluated()) {
              throw new IllegalStateException("the coordinator is gone");
            }
            return List.of(event);
          };
      failure(house::train);
      assertThat(house.disk.checkpoints).isEmpty();
      house.student.sending = List::of;

      assertThat(house.resume()).isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(house.disk.checkpoints).containsOnlyKeys(4L, 8L);
      assertThat(RunDirectoryTest.lines(dir.resolve("epochs.jsonl")))
          .satisfiesExactly(
              line -> assertThat(line).contains("\"step\":4,", "\"top1\":"),
              line -> assertThat(line).contains("\"step\":8,", "\"top1\":"));
    }
  }

  @Test
  void run_studentStillHasTheRunButTheTeacherIsAnother_isRefused() {
    try (House house = house(1)) {
      house.student.failingStep = 7;
      failure(house::train);
      house.student.failingStep = -1;
      house.teachers.get(0).opening = opened -> digest(opened, "f00d");

      RunException e = failure(house::resume);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e).hasMessageContaining("cafe").hasMessageContaining("f00d");
    }
  }

  @Test
  void run_studentStillHasTheRunButNotTheNumerics_isRefused() {
    try (House house = house(1)) {
      house.student.failingStep = 7;
      failure(house::train);
      house.student.failingStep = -1;
      house.student.numerics = house.student.numerics.toBuilder().putFacts("threads", "2").build();

      RunException e = failure(house::resume);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e).hasMessageContaining("threads was 1 and is now 2");
    }
  }

  @Test
  void run_resumedWithTheSamePathWrittenOtherwise_goesOn() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1", "teacher.weights=w/../toy");
      house.restartStudent();

      assertThat(
              house.resume(
                  "schedule.epochs=1", "teacher.weights=" + Path.of("toy").toAbsolutePath()))
          .isEqualTo(ExitCode.DONE);
      house.restartStudent();
      assertThat(failure(() -> house.resume("teacher.weights=/other/toy")))
          .hasMessageContaining("teacher.weights was ");
    }
  }

  @Test
  void run_bestEvaluationFirst_onlyItsCheckpointIsMarkedBest() {
    try (House house = house(0)) {
      house.student.sending =
          event ->
              event.hasEvaluated()
                  ? List.of(topOne(event, event.getEvaluated().getId() == 1 ? 6 : 3))
                  : List.of(event);

      house.train("schedule.epochs=2", "checkpoint.every-steps=2", "checkpoint.keep=3");

      assertThat(house.disk.requests)
          .extracting(request -> request.getBest() + " " + request.getKeepLast())
          .containsExactly("false 3", "true 3", "false 3", "false 3");
      assertThat(house.disk.requests.get(3).getProvenanceMap())
          .containsEntry("step", "8")
          .containsKeys("config_sha256", "coordinator_program");
    }
  }

  @Test
  void run_diskFullForAWhile_warnsGoesOnAndTriesTheNextCheckpoint() throws IOException {
    try (House house = house(1)) {
      house.student.sending =
          event ->
              event.hasCheckpointed() && event.getCheckpointed().getStep() == 4
                  ? List.of(
                      StudentEvent.newBuilder()
                          .setCheckpointed(
                              event.getCheckpointed().toBuilder().setWarning("No space left"))
                          .build())
                  : event.hasExported()
                          && event.getExported().getFile().equals("student-best.safetensors")
                      ? List.of(notExported(event))
                      : List.of(event);

      assertThat(house.train()).isEqualTo(ExitCode.DONE);

      assertThat(house.printed())
          .contains("WARNING: no checkpoint of step 4: No space left")
          .contains("WARNING: no student-best.safetensors of step 4: No space left")
          .doesNotContain("no checkpoint of step 8");
      assertThat(Shown.value(house.metrics, Metric.CHECKPOINT_FAILURES)).isEqualTo(2);
      assertLearned(house, 8, true);
    }
  }

  @Test
  void run_lastWeightsCannotBeWritten_exits73NamingTheCheckpoint() {
    try (House house = house(0)) {
      house.student.sending =
          event -> event.hasExported() ? List.of(notExported(event)) : List.of(event);

      RunException e = failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.CANNOT_WRITE);
      assertThat(e)
          .hasMessageContaining("student.safetensors could not be written")
          .hasMessageContaining("checkpoint is that of step 8");
    }
  }

  private static StudentEvent notExported(StudentEvent event) {
    return StudentEvent.newBuilder()
        .setExported(event.getExported().toBuilder().setWarning("No space left"))
        .build();
  }

  @Test
  void run_resumedWithNothingButDamagedCheckpoints_isRefusedAndLosesNoRecords() throws IOException {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      house.restartStudent().sending =
          event ->
              event.hasRestored()
                  ? List.of(
                      StudentEvent.newBuilder()
                          .setRestored(Restored.newBuilder().addWarnings("step-4 lacks a file"))
                          .build())
                  : List.of(event);

      RunException e = failure(house::resume);

      assertThat(e.exitCode()).isEqualTo(ExitCode.BAD_DATA);
      assertThat(e).hasMessageContaining("step-4 lacks a file").hasMessageContaining("move");
      assertThat(steps()).hasSize(4);
    }
  }

  @Test
  void run_studentLogitsNotFinite_stopsWithoutAnotherCheckpoint() {
    try (House house = house(1)) {
      house.student.beforeForward =
          key -> {
            if (key.getStep() == 6) {
              house.student.weights[0][0] = Double.NaN;
            }
          };

      RunException e = failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INTERNAL);
      assertThat(e)
          .hasMessageContaining("of step 6 is NaN: the student's logits are not finite")
          .hasMessageContaining("checkpoint is that of step 4");
      assertThat(house.disk.checkpoints).containsOnlyKeys(4L);
    }
  }

  @Test
  void run_forwardedOfAnotherAttemptOrTwice_isDropped() {
    try (House house = house(1)) {
      house.student.sending =
          event ->
              event.hasForwarded() && event.getForwarded().getLast()
                  ? List.of(withAttempt(event, 9), event, event)
                  : List.of(event);

      assertThat(house.train("evaluation.teacher-check-images=0")).isEqualTo(ExitCode.DONE);
      assertLearned(house, 8, true);
      assertThat(house.teachers.get(0).received).hasSize(8 * 4).doesNotHaveDuplicates();
    }
  }

  private static StudentEvent withAttempt(StudentEvent event, int attempt) {
    StudentEvent.Builder changed = event.toBuilder();
    changed.getForwardedBuilder().getKeyBuilder().setAttempt(attempt);
    return changed.build();
  }

  @Test
  void run_existingRun_isRefusedUnlessResumed() {
    try (House house = house(0)) {
      house.train("schedule.epochs=1");
      house.restartStudent();

      RunException e = failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
      assertThat(e).hasMessageContaining(dir.toString()).hasMessageContaining("--resume");
    }
  }

  @Test
  void run_resumedWithOtherMathematics_isRefusedWithTheKeys() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      house.restartStudent();

      RunException e =
          failure(() -> house.resume("masking.keep=0.75", "seed=3", "schedule.window=4"));

      assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
      assertThat(e)
          .hasMessageContaining("masking.keep was 0.5 and is now 0.75")
          .hasMessageContaining("seed was 0 and is now 3");
      assertThat(String.valueOf(e.getMessage())).doesNotContain("window");
    }
  }

  @Test
  void run_resumedWithMoreEpochsOtherSizesAndTeachers_goesOn() throws IOException {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      house.restartStudent();
      house.teachers.add(new FakeTeacher());

      assertThat(house.resume("schedule.epochs=2", "schedule.micro-batches=5", "schedule.window=6"))
          .isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(house.printed())
          .contains(
              "schedule.epochs was 1 and is now 2: the learning rate follows another curve",
              "schedule.micro-batches was [2,3,4,1] and is now 5: the same gradients, within 1e-5",
              "schedule.window was 10 and is now 6: the same gradients, within 1e-5");
      assertThat(house.student.plans.get(0).getMicroBatchSizesList())
          .containsExactly(2, 2, 2, 2, 2);
    }
  }

  @Test
  void run_resumedOnOtherNumerics_isRefusedUnlessAllowed() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      var threads = house.student.numerics.toBuilder().putFacts("threads", "2").build();
      house.restartStudent().numerics = threads;

      RunException e = failure(house::resume);
      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e).hasMessageContaining("threads was 1 and is now 2");

      house.restartStudent().numerics = threads;
      assertThat(house.resume("deterministic=false")).isEqualTo(ExitCode.DONE);
    }
  }

  @Test
  void run_resumedWithAnotherTeacher_isRefused() {
    try (House house = house(1)) {
      house.train("schedule.epochs=1");
      house.restartStudent();
      house.teachers.get(0).opening = opened -> digest(opened, "f00d");

      RunException e = failure(house::resume);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e).hasMessageContaining("cafe").hasMessageContaining("f00d");
    }
  }

  private static org.maskedkd.proto.v1.TeacherOpened digest(
      org.maskedkd.proto.v1.TeacherOpened opened, String digest) {
    return opened.toBuilder()
        .setModel(opened.getModel().toBuilder().setWeightsDigest(digest))
        .build();
  }

  @Test
  void run_recordedPlans_areReplayed() throws IOException {
    Path recorded = dir.resolve("recorded.jsonl");
    StringBuilder lines = new StringBuilder();
    for (int step = 1; step <= 8; step++) {
      lines.append(
          JsonLines.JSON.writeValueAsString(
              new PlanLine(
                  step, 7, (step - 1) / 4, 0.5, List.of(step, 10 - step), 10, "eager", 0.5, null)));
      lines.append('\n');
    }
    Files.writeString(recorded, lines);
    try (House house = new House(dir.resolve("run"), 1)) {
      assertThat(house.train(new TrainingRun.Options(false, 0, recorded, false)))
          .isEqualTo(ExitCode.DONE);

      assertLearned(house, 8, true);
      assertThat(house.student.plans)
          .extracting(p -> p.getMicroBatchSizes(0))
          .containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
      assertThat(house.student.plans).extracting(StepPlan::getAttempt).containsOnly(1);
    }
  }

  @Test
  void run_maxSteps_endsThereAndCanGoOn() throws IOException {
    try (House house = house(1)) {
      assertThat(house.train(new TrainingRun.Options(false, 3, null, false)))
          .isEqualTo(ExitCode.DONE);
      assertThat(house.disk.checkpoints).containsOnlyKeys(3L);
      house.restartStudent();

      assertThat(house.resume()).isEqualTo(ExitCode.DONE);
      assertLearned(house, 8, true);
    }
  }

  @Test
  void run_dryRun_opensAllAndLeavesNothing() {
    try (House house = new House(dir.resolve("run"), 2)) {
      assertThat(house.train(new TrainingRun.Options(false, 0, null, true)))
          .isEqualTo(ExitCode.DONE);

      assertThat(house.printed())
          .contains("2 epochs of 4 steps, 8 steps in all", "2 of 4 patches", "2 processes")
          .contains("for all 8 steps, before optimizer", "memory: student about")
          .doesNotContain("no effect");
      assertThat(dir.resolve("run")).doesNotExist();
      assertThat(house.student.plans).isEmpty();
    }
  }

  @Test
  void run_nativeImagesForATeacherOfTheStudentsSize_saysThatTheyHaveNoEffect() {
    try (House house = house(1)) {
      house.train(new TrainingRun.Options(false, 0, null, true), "teacher.image=native");

      assertThat(house.printed())
          .contains("teacher.image: native has no effect", "the student's 4 pixels a side");
    }
  }

  @Test
  void run_fullDisk_endsWithCannotWrite() throws IOException {
    Files.createSymbolicLink(dir.resolve("metrics.jsonl"), Path.of("/dev/full"));
    try (House house = house(0)) {
      RunException e = failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.CANNOT_WRITE);
      assertThat(e).hasMessageContaining("metrics.jsonl").hasMessageContaining("No space left");
    }
  }

  @Test
  void run_studentOfAnotherProtocol_isRefusedWithBothVersions() {
    try (House house = house(0)) {
      house.student.opening = opened -> opened.toBuilder().setProtocolVersion(9).build();

      RunException e = failure(house::train);

      assertThat(e.exitCode()).isEqualTo(ExitCode.INCOMPATIBLE);
      assertThat(e)
          .hasMessageContaining("version 9")
          .hasMessageContaining("coordinator " + Protocol.PROTOCOL_VERSION_VALUE);
    }
  }

  @Test
  void run_studentHasTheRunAlready_isRefusedUnlessResumed() {
    try (House house = house(0)) {
      house.student.committed = 5;

      assertThat(failure(house::train))
          .hasMessageContaining("already has run run at step 5")
          .hasMessageContaining("--resume");
    }
  }

  @Test
  void run_fewerImagesThanABatch_isRefused() {
    try (House house = house(0)) {
      assertThat(failure(() -> house.train("schedule.batch=44", "schedule.micro-batches=4")))
          .hasMessageContaining("44")
          .hasMessageContaining("43 training images");
    }
  }

  private House house(int teachers) {
    return new House(dir, teachers);
  }

  private List<StepLine> steps() {
    try (RunDirectory directory = RunDirectory.resume(dir)) {
      return directory.steps();
    }
  }

  private static List<Long> oneTo(long last) {
    return LongStream.rangeClosed(1, last).boxed().toList();
  }

  private static StepLine.Pipeline pipeline(StepLine step) {
    return Objects.requireNonNull(step.pipeline());
  }

  static void assertLearned(House house, long steps, boolean distilled) {
    double[][] expected = Toy.reference(steps, House.BATCH, House.RATE, distilled);
    for (int c = 0; c < Toy.CLASSES; c++) {
      assertThat(house.student.weights[c]).containsExactly(expected[c], within(1e-5));
    }
  }

  static RunException failure(Runnable run) {
    RunException e = catchThrowableOfType(RunException.class, run::run);
    assertThat(e).isNotNull();
    return e;
  }
}
