package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SleepTimesTest {
  private static final Set<String> STUDENT = Set.of("forward", "backward", "optimizer");

  @Test
  void parse_someOperations_keepsTheirTimesAndTheOverheadApart() {
    SleepTimes times = SleepTimes.parse("forward=0.25, backward=0.5,overhead=0.125", STUDENT);

    assertThat(times.perImage()).isEqualTo(Map.of("forward", 0.25, "backward", 0.5));
    assertThat(times.overhead()).isEqualTo(0.125);
  }

  @Test
  void parse_unknownOperationOrNoTime_namesBoth() {
    for (String wrong :
        new String[] {"teacher=1", "forward", "forward=", "forward=-1", "", "forward=NaN"}) {
      assertThatIllegalArgumentException()
          .as(wrong)
          .isThrownBy(() -> SleepTimes.parse(wrong, STUDENT))
          .withMessageContaining("found '");
    }
  }

  @Test
  void sleepUntil_deadline_isNotLeftBeforeIt() {
    long deadline = new SleepTimes(Map.of("forward", 0.002), 0.001).deadline("forward", 2);

    SleepTimes.sleepUntil(deadline);

    assertThat(System.nanoTime() - deadline).isNotNegative();
  }
}
