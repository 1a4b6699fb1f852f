package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FaultTimesTest {
  private static final long MILLI = 1_000_000;

  private long now;

  private FaultTimes times(Set<NetworkFault> kinds, double meanSeconds, long seed) {
    return new FaultTimes(kinds, meanSeconds, seed, () -> now);
  }

  private List<@Nullable NetworkFault> everyMilli(FaultTimes times, boolean ofMessages, int count) {
    return IntStream.range(0, count)
        .mapToObj(
            i -> {
              now += MILLI;
              return times.take(ofMessages);
            })
        .filter(Objects::nonNull)
        .toList();
  }

  @Test
  void take_steadyTraffic_meetsEachKindAsOftenAsItsMeanSays() {
    FaultTimes times = times(Set.of(NetworkFault.CUT, NetworkFault.DELAY), 1, 7);

    List<@Nullable NetworkFault> faults = everyMilli(times, false, 1_000_000);

    // Poisson with a mean of 1000 each: five deviations.
    for (NetworkFault kind : List.of(NetworkFault.CUT, NetworkFault.DELAY)) {
      assertThat(faults.stream().filter(kind::equals).count()).isBetween(842L, 1158L);
      assertThat(times.counts().get(kind)).isEqualTo(faults.stream().filter(kind::equals).count());
    }
  }

  @Test
  void take_afterALongPause_doesNotMeetWhatWasDueMeanwhile() {
    int met = 0;
    for (int seed = 0; seed < 1000; seed++) {
      FaultTimes times = times(EnumSet.allOf(NetworkFault.class), 3, seed);
      now += 60_000 * MILLI;
      if (times.take(false) != null) {
        met++;
      }
    }
    // Three kinds of bytes, each due in the last 50 ms with probability 1/60.
    assertThat(met).isBetween(15, 90);
  }

  @Test
  void take_faultsOfMessages_areNotThoseOfBytes() {
    FaultTimes times = times(Set.of(NetworkFault.CUT), 0.01, 7);

    assertThat(everyMilli(times, true, 1000)).isEmpty();
  }
}
