package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Against published tables for a student of F = 1, B = 2, with {@code o} for every task, {@code c}
 * on either way and {@code u} for the optimizer.
 */
class TunerTest {
  /** How far from a published optimum the search may stay. */
  private static final double SLACK = 1.003;

  private static final List<Double> ONE = List.of(1.0);

  private static Costs costs(int batch, double teacher, double o, double c, double u) {
    return new Costs(
        Cost.linear(o, 1.0 / batch),
        Cost.linear(o, teacher / batch),
        Cost.linear(o, 2.0 / batch),
        samples -> c,
        samples -> c,
        u);
  }

  @ParameterizedTest
  @CsvSource({
    // T, o, c, u, batch, share of the batch that may be held, best uneven, best uniform
    "4, 0.01, 0, 0, 128, 1, 4.140, 4.366",
    "4, 0.02, 0, 0, 128, 1, 4.258, 4.530",
    "4, 0.05, 0, 0, 128, 1, 4.533, 4.875",
    "4, 0.10, 0, 0, 128, 1, 4.941, 5.300",
    "4, 0.01, 0, 0, 1024, 1, 4.140, 4.366",
    "4, 0.02, 0, 0, 1024, 1, 4.258, 4.530",
    "4, 0.05, 0, 0, 1024, 1, 4.533, 4.875",
    "4, 0.10, 0, 0, 1024, 1, 4.941, 5.300",
    "4, 0.01, 0.02, 0.05, 128, 0.15, 4.324, 4.456",
    "4, 0.01, 0.02, 0.05, 128, 0.25, 4.268, 4.456",
    "4, 0.01, 0.02, 0.05, 128, 0.40, 4.244, 4.456",
    "4, 0.01, 0.02, 0.05, 128, 1, 4.230, 4.456",
    "3, 0.01, 0.02, 0.05, 128, 1, 3.323, 3.456",
    "8, 0.01, 0.02, 0.05, 128, 1, 8.269, 8.456",
  })
  void choose_publishedCosts_reachesThePublishedStep(
      double teacher,
      double o,
      double c,
      double u,
      int batch,
      double share,
      double best,
      double uniform) {
    int cap = (int) (share * batch);
    Tuning tuning = Tuner.choose(costs(batch, teacher, o, c, u), batch, cap, ONE);
    assertThat(tuning.prediction().step()).isLessThan(best * SLACK);
    assertThat(tuning.prediction().peak()).isLessThanOrEqualTo(cap);
    assertThat(tuning.uniformPrediction().step()).isBetween(uniform / SLACK, uniform * SLACK);
    assertThat(tuning.schedule().batch()).isEqualTo(batch);
    assertThat(tuning.bound()).isCloseTo(Math.max(3 + 2 * o, teacher + o), within(1e-9));
    assertThat(tuning.notes()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    // T, most micro-batches, best uneven
    "4, 2, 5.333",
    "4, 4, 4.375",
    "4, 8, 4.058",
    "4, 16, 4.001",
    "4, 32, 4.000",
    "3, 2, 4.400",
    "3, 4, 3.500",
    "3, 8, 3.118",
    "3, 16, 3.010",
    "3, 32, 3.000",
  })
  void choose_noOverheads_reachesThePublishedStepOfSoManyMicroBatches(
      double teacher, int most, double best) {
    int batch = 1024;
    Tuning tuning = Tuner.choose(Costs.ideal(batch, 1, teacher, 2), batch, batch, ONE, most);
    assertThat(tuning.prediction().step()).isLessThan(best * SLACK);
    assertThat(tuning.schedule().sizes().size()).isLessThanOrEqualTo(most);
  }

  @ParameterizedTest
  @CsvSource({"0.15, 16, 4.046", "0.15, 24, 4.001", "0.25, 12, 4.037", "0.40, 12, 4.014"})
  void choose_noOverheadsAndACap_reachesThePublishedStep(double share, int most, double best) {
    int batch = 1024;
    int cap = (int) (share * batch);
    Tuning tuning = Tuner.choose(Costs.ideal(batch, 1, 4, 2), batch, cap, ONE, most);
    assertThat(tuning.prediction().step()).isLessThan(best * SLACK);
    assertThat(tuning.prediction().peak()).isLessThanOrEqualTo(cap);
  }

  @ParameterizedTest
  @CsvSource({"4, 4.525, 4.900", "8, 4.248, 4.565", "16, 4.271, 4.456"})
  void choose_overheadsAndFewMicroBatches_reachesThePublishedStep(
      int most, double best, double uniform) {
    Tuning tuning = Tuner.choose(costs(128, 4, 0.01, 0.02, 0.05), 128, 128, ONE, most);
    assertThat(tuning.prediction().step()).isLessThan(best * SLACK);
    assertThat(tuning.uniformPrediction().step()).isBetween(uniform / SLACK, uniform * SLACK);
  }

  @ParameterizedTest
  @CsvSource({
    "128, 0.002, 1, 4.12",
    "128, 0.005, 1, 4.12",
    "128, 0.002, 0.25, 4.16",
    "128, 0.005, 0.25, 4.16",
    "256, 0.005, 0.25, 4.16",
  })
  void choose_smallOverheads_losesLittle(int batch, double o, double share, double most) {
    int cap = (int) (share * batch);
    Tuning tuning = Tuner.choose(costs(batch, 4, o, 0, 0), batch, cap, ONE);
    assertThat(tuning.prediction().step()).isLessThanOrEqualTo(most);
  }

  @Test
  void choose_moreTeachers_isNeverWorseThanUniform() {
    for (int teachers = 2; teachers <= 3; teachers++) {
      Tuning tuning =
          Tuner.choose(
              costs(128, 8, 0.01, 0.02, 0.05), 128, 64, Collections.nCopies(teachers, 1.0));
      assertThat(tuning.prediction().step())
          .isLessThanOrEqualTo(tuning.uniformPrediction().step())
          .isGreaterThanOrEqualTo(tuning.bound());
    }
  }

  @Test
  void choose_studentIsTheBottleneck_takesFewUniformMicroBatches() {
    Tuning tuning = Tuner.choose(Costs.ideal(1024, 1, 1, 2), 1024, 1024, ONE);
    assertThat(tuning.prediction().step()).isLessThanOrEqualTo(3.003);
    assertThat(tuning.schedule().sizes()).containsExactly(512, 512);
  }

  @Test
  void choose_noTeachers_takesAsFewMicroBatchesAsTheMemoryAllows() {
    Costs costs = costs(128, 4, 0.01, 0, 0);
    assertThat(Tuner.choose(costs, 128, 128, List.of()).schedule().sizes()).containsExactly(128);
    assertThat(Tuner.choose(costs, 128, 50, List.of()).schedule().sizes())
        .containsExactly(43, 43, 42);
  }

  @Test
  void choose_tooFewMicroBatchesForTheMemory_saysSo() {
    Costs costs = costs(128, 4, 0.01, 0, 0);
    assertThat(Tuner.choose(costs, 128, 32, ONE, 5).notes())
        .containsExactly(
            "A batch of 128 in at most 5 micro-batches does not fit a memory of 32 samples well: the"
                + " student cannot hold two at once and so cannot run ahead of the teachers. Allow 8"
                + " micro-batches or 52 samples.");
    assertThatThrownBy(() -> Tuner.choose(costs, 128, 32, ONE, 3))
        .hasMessage(
            "a batch of 128 in at most 3 micro-batches has one larger than the 32 samples that may be"
                + " held; allow 4 micro-batches or more memory");
    assertThatThrownBy(() -> Tuner.choose(costs, 128, 0, ONE))
        .hasMessage("batch and memory must be at least 1 sample, found 128 and 0");
  }
}
