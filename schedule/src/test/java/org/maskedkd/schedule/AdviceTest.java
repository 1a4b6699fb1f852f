package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdviceTest {

  @ParameterizedTest
  @CsvSource({
    // T, teachers, as good as (F+B+T)/devices, useful teachers
    "8, 1, 5.5, 3",
    "4, 1, 3.5, 2",
    "3, 1, 3.0, 1",
    "8, 2, 3.6667, 3",
    "4, 2, 2.3333, 2",
    "1, 1, 2, 1"
  })
  void of_idealCosts_namesTheCoLocatedStepAndTheUsefulTeachers(
      double teacher, int teachers, double coLocated, int useful) {
    Costs costs = Costs.ideal(64, 1, teacher, 2);
    double pipeline = costs.bound(64, Collections.nCopies(teachers, 1.0));
    Advice advice = Advice.of(costs, 64, Collections.nCopies(teachers, 1.0), pipeline);
    assertThat(advice.serial()).isEqualTo(3 + teacher);
    assertThat(advice.coLocated()).isCloseTo(coLocated, within(1e-4));
    assertThat(advice.usefulTeachers()).isEqualTo(useful);
    assertThat(advice.sentences()).anyMatch(s -> s.contains("before exchanging gradients"));
  }

  @ParameterizedTest
  @CsvSource({
    "4, 1, 7.5, 'One device that does everything takes 7.000 against 7.500'",
    "4, 3, 3, '2 of 3 teachers are enough'",
    "4, 1, 4, 'on each of the 2 devices, every one with its share of the batch, would take 3.500 against 4.000'",
  })
  void of_slowOrTooManyTeachers_saysSo(double teacher, int teachers, double step, String part) {
    Advice advice =
        Advice.of(Costs.ideal(64, 1, teacher, 2), 64, Collections.nCopies(teachers, 1.0), step);
    assertThat(advice.sentences()).anyMatch(s -> s.contains(part));
  }

  @ParameterizedTest
  @CsvSource({"0", "1"})
  void of_noTeachersOrABetterPipeline_saysNothing(int teachers) {
    Advice advice =
        Advice.of(Costs.ideal(64, 1, 4, 2), 64, Collections.nCopies(teachers, 1.0), 3.4);
    assertThat(advice.sentences()).isEqualTo(List.of());
  }

  @Test
  void of_slowTeacher_countsItsDeviceByItsSpeed() {
    Advice advice = Advice.of(Costs.ideal(64, 1, 4, 2), 64, List.of(2.0), 8);
    assertThat(advice.coLocated()).isCloseTo(7 / 1.5, within(1e-9));
  }
}
