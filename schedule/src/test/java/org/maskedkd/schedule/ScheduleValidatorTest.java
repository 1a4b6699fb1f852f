package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ScheduleValidatorTest {

  private static Schedule schedule(String student, String teachers) {
    return new Schedule(
        Order.EAGER,
        List.of(2, 3),
        5,
        Action.parse(student),
        teachers.isEmpty() ? List.of() : Action.parse(teachers));
  }

  @ParameterizedTest
  @EnumSource(Order.class)
  void check_plannedSchedules_areLegal(Order order) {
    List<Integer> sizes = List.of(1, 4, 2, 1);
    for (int teachers = 0; teachers <= 2; teachers++) {
      for (int window = SchedulePlanner.leastWindow(order, sizes); window <= 9; window++) {
        Schedule planned = SchedulePlanner.plan(order, sizes, window, teachers);
        int count = teachers;
        assertThatCode(() -> ScheduleValidator.check(planned, count)).doesNotThrowAnyException();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F1 F0 B0 B1, T0 T1",
    "F0 B0 F1 B1, T0 | T1",
    "O0 F0 O1 F1 | B1 B0, | T1 T0",
  })
  void check_unusualButPossible_isLegal(String student, String teachers) {
    Schedule schedule = schedule(student, teachers);
    assertThatCode(() -> ScheduleValidator.check(schedule, 1)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '/',
      value = {
        "B0 F0 F1 B1/ T0 T1/ B0 (entry 1) comes before F0 (entry 2), which it needs",
        "F0 F1 B0/ T0 T1/ B1 is missing in the student's list; expected one for each of the 2 micro-batches",
        "F0 B0 B1/ T0 T1/ F1 is missing in the student's list; expected one for each of the 2 micro-batches",
        "F0 F1 B0 B1/ T0/ T1 is missing in the teachers' queue; expected one for each of the 2 micro-batches",
        "F0 F1 B0 B1/ ''/ T0 is missing in the teachers' queue; expected one for each of the 2 micro-batches",
        "F0 F0 F1 B0 B1/ T0 T1/ F0 stands twice in the student's list, as entries 1 and 2; expected once",
        "F0 F1 B0 B1/ T0 T1 T0/ T0 stands twice in the teachers' queue, as entries 1 and 3; expected once",
        "F0 F1 B0 B2/ T0 T1/ B2 (entry 4) of the student's list names no micro-batch; there are 2, from 0 to 1",
        "F0 F1 B0 B1 T0/ T0 T1/ the student's list may hold O, F, A, B and |, found T0 (entry 5) of F0 F1 B0 B1 T0",
        "F0 F1 B0 B1/ T0 F1/ the teachers' queue may hold T and |, found F1 (entry 2) of T0 F1",
        "O0 F0 F1 B0 B1/ T0 T1/ O1 is missing in the student's list, which offers some; expected one for each of the 2 micro-batches",
        "F0 O1 O0 F1 B0 B1/ T0 T1/ O0 (entry 3) comes after F0 (entry 1); an offer is of use only before its forward",
        "F0 | F1 B0 B1/ T0 T1/ the barrier (entry 2) waits for all signals and would never open: that of micro-batch 1 needs F1 (entry 3)",
        "F0 B0 F1 B1/ | T0 T1/ B0 (entry 2) would wait forever: T0 is queued behind a barrier that opens after F1 (entry 3)",
      })
  void check_impossible_namesTheAction(String student, String teachers, String message) {
    Schedule schedule = schedule(student, teachers);
    assertThatThrownBy(() -> ScheduleValidator.check(schedule, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void check_moreHeldThanTheWindow_namesBoth() {
    Schedule schedule =
        new Schedule(
            Order.EAGER, List.of(2, 3), 4, Action.parse("F0 F1 B0 B1"), Action.parse("T0 T1"));
    assertThatThrownBy(() -> ScheduleValidator.check(schedule, 1))
        .hasMessage(
            "after F1 (entry 2) the student holds 5 samples, more than the window of 4; sizes [2, 3]");
  }

  @Test
  void check_emptyOrNegative_isNamed() {
    assertThatThrownBy(
            () ->
                ScheduleValidator.check(
                    new Schedule(Order.EAGER, List.of(), 1, List.of(), List.of()), 0))
        .hasMessageContaining("at least one micro-batch");
    assertThatThrownBy(
            () ->
                ScheduleValidator.check(
                    new Schedule(Order.EAGER, List.of(0), 1, Action.parse("F0 B0"), List.of()), 0))
        .hasMessageContaining("[0]");
    assertThatThrownBy(() -> ScheduleValidator.check(schedule("F0 F1 B0 B1", ""), -1))
        .hasMessageContaining("found -1");
  }

  @Test
  void check_queueWithoutTeachers_isNamed() {
    assertThatThrownBy(() -> ScheduleValidator.check(schedule("F0 F1 B0 B1", "T0 T1"), 0))
        .hasMessage("without teachers their queue must be empty, found T0 T1");
  }
}
