package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.runtime.ClockOffset;

class AnswerTimesTest {
  private static final long SECOND = 1_000_000_000;
  private static final MicroBatchKey KEY = MicroBatchKey.newBuilder().setStep(3).build();

  private final AnswerTimes times = new AnswerTimes();
  private final ClockOffset clock = new ClockOffset();

  private static Span span(double from, double to) {
    return Span.newBuilder()
        .setStartNanos(Math.round(from * SECOND))
        .setEndNanos(Math.round(to * SECOND))
        .build();
  }

  private AnswerTimes.Times answered(Span span, int second) {
    return Objects.requireNonNull(times.answered(KEY, 0, span, clock, second * SECOND));
  }

  @Test
  void answered_clockThatIsAhead_splitsTheWholeTime() {
    // The teacher's clock is 100 s ahead.
    clock.sample(0, 100 * SECOND, 0);
    times.submitted(KEY, 1 * SECOND);
    times.given(KEY, 0, 3 * SECOND);
    AnswerTimes.Times found = answered(span(103.5, 107.5), 8);
    assertThat(found).isEqualTo(new AnswerTimes.Times(2, 0.5, 4, 0.5));
    assertThat(found.total()).isEqualTo(7);
  }

  @Test
  void answered_clockThatCannotBe_keepsThePartsWithinTheTotal() {
    clock.sample(0, 0, 0);
    for (double shift : new double[] {-50, -0.3, 0.3, 50}) {
      times.submitted(KEY, 0);
      times.given(KEY, 0, SECOND);
      AnswerTimes.Times found = answered(span(1.5 + shift, 2.5 + shift), 3);
      assertThat(found.waiting()).isBetween(0.0, 1.0);
      assertThat(found.back()).isBetween(0.0, 1.0);
      assertThat(found.total()).isCloseTo(3, within(1e-9));
    }
    times.submitted(KEY, 0);
    times.given(KEY, 0, SECOND);
    assertThat(times.answered(KEY, 0, span(0, 100), clock, 3 * SECOND))
        .isEqualTo(new AnswerTimes.Times(1, 0, 2, 0));
  }

  @ParameterizedTest
  @CsvSource({"0, 1, 0, 5, 0", "1, 5, 0, 1, 0"})
  void answered_twoTeachersHaveIt_countsFromWhenTheOneThatAnsweredGotIt(
      int teacher, double queue, double waiting, double compute, double back) {
    clock.sample(0, 0, 0);
    times.submitted(KEY, 0);
    times.given(KEY, 0, SECOND);
    times.given(KEY, 1, 5 * SECOND);
    Span span = span(queue + waiting, 6);
    assertThat(times.answered(KEY, teacher, span, clock, 6 * SECOND))
        .isEqualTo(new AnswerTimes.Times(queue, waiting, compute, back));
    assertThat(times.answered(KEY, 1 - teacher, span, clock, 6 * SECOND)).isNull();
  }

  @Test
  void begin_laterStep_forgetsWhatWasNotAnswered() {
    times.submitted(KEY, 0);
    times.given(KEY, 0, 0);
    times.begin(4);
    assertThat(times.answered(KEY, 0, span(0, 1), clock, SECOND)).isNull();
  }
}
