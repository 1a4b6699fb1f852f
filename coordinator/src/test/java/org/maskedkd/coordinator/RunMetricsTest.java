package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.runtime.Metric;
import org.maskedkd.runtime.RunException;

class RunMetricsTest {
  @TempDir private Path directory;

  @Test
  void run_healthy_showsWhatItsRecordsSay() throws IOException {
    try (House house = new House(directory.resolve("run"), 2)) {
      house.train("ema.decay=0.9", "evaluation.teacher-check-images=0");
      RunDirectory records = RunDirectory.resume(directory.resolve("run"));
      StepLine last = records.steps().get(7);
      EpochLine epoch = records.epochs().get(1);
      double seconds = records.steps().stream().mapToDouble(StepLine::stepSeconds).sum();
      records.close();

      assertThat(Shown.value(house.metrics, Metric.STEPS)).isEqualTo(8);
      assertThat(Shown.value(house.metrics, Metric.LAST_STEP)).isEqualTo(8);
      assertThat(Shown.value(house.metrics, Metric.PLANNED_STEPS)).isEqualTo(8);
      assertThat(Shown.value(house.metrics, Metric.IMAGES)).isEqualTo(80);
      assertThat(Shown.sum(house.metrics, Metric.STEP_SECONDS)).isCloseTo(seconds, within(1e-6));
      assertThat(Shown.value(house.metrics, Metric.LOSS, "total")).isEqualTo(last.loss());
      assertThat(Shown.value(house.metrics, Metric.LOSS, "distillation"))
          .isEqualTo(last.lossDistillation());
      assertThat(Shown.value(house.metrics, Metric.GRADIENT_NORM)).isEqualTo(last.gradientNorm());
      assertThat(Shown.value(house.metrics, Metric.TRAIN_TOP1, "teacher"))
          .isEqualTo(last.teacherTop1());
      assertThat(Shown.value(house.metrics, Metric.EVALUATION, "top1", "averaged"))
          .isEqualTo(epoch.emaTop1());
      assertThat(Shown.value(house.metrics, Metric.MICROBATCHES)).isEqualTo(32);
      assertThat(Shown.value(house.metrics, Metric.MICROBATCH_PARTS))
          .isCloseTo(Shown.sum(house.metrics, Metric.MICROBATCH_SECONDS), within(1e-6));
      assertThat(Shown.value(house.metrics, Metric.CHECKPOINT_STEP)).isEqualTo(8);
      assertThat(Shown.value(house.metrics, Metric.CHECKPOINTS)).isEqualTo(2);
      assertThat(Shown.value(house.metrics, Metric.QUEUE)).isZero();
      assertThat(Shown.value(house.metrics, Metric.IN_FLIGHT)).isZero();
      assertThat(Shown.value(house.metrics, Metric.RETRIES)).isZero();
      assertThat(Shown.value(house.metrics, Metric.RECONNECTS)).isZero();
      assertThat(Shown.value(house.metrics, Metric.PHASE, "ended")).isOne();
      assertThat(Shown.value(house.metrics, Metric.PHASE)).isOne();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3})
  void run_anyNumberOfTeachers_busyAndIdleOfEachDeviceAddUpToTheSteps(int teachers)
      throws IOException {
    try (House house = new House(directory.resolve("run"), teachers)) {
      house.train();
      double steps = Shown.sum(house.metrics, Metric.STEP_SECONDS);
      for (int device = 0; device <= teachers; device++) {
        String name = StepLine.deviceName(device);
        assertThat(
                Shown.value(house.metrics, Metric.DEVICE_BUSY, name)
                    + Shown.value(house.metrics, Metric.DEVICE_IDLE, name))
            .as(name)
            .isCloseTo(steps, within(1e-6));
      }
    }
  }

  @Test
  void run_lossNotFinite_isCounted() throws IOException {
    try (House house = new House(directory.resolve("run"), 1)) {
      house.student.beforeForward = key -> house.student.weights[0][0] = Double.NaN;
      assertThatThrownBy(house::train).isInstanceOf(RunException.class);
      assertThat(Shown.value(house.metrics, Metric.NON_FINITE)).isOne();
    }
  }
}
