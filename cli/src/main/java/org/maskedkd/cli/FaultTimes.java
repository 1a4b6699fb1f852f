package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which fault is due: each kind again and again, after stretches drawn from an exponential
 * distribution. A moment at which nothing passes does no harm: otherwise the first messages after a
 * pause would meet every kind at once. Counts what was taken. Thread-safe.
 */
final class FaultTimes {
  /** How long after its moment a fault still meets what passes. */
  static final long MISSED_NANOS = 50_000_000;

  private final double meanSeconds;
  private final Random random;
  private final LongSupplier nanoTime;
  private final Map<NetworkFault, Long> due = new EnumMap<>(NetworkFault.class);
  private final Map<NetworkFault, Long> counts = new EnumMap<>(NetworkFault.class);

  /**
   * @param meanSeconds between two faults of one kind
   */
  FaultTimes(Set<NetworkFault> kinds, double meanSeconds, long seed, LongSupplier nanoTime) {
    this.meanSeconds = meanSeconds;
    this.random = new Random(seed);
    this.nanoTime = nanoTime;
    kinds.forEach(kind -> due.put(kind, after(nanoTime.getAsLong())));
    kinds.forEach(kind -> counts.put(kind, 0L));
  }

  private long after(long nanos) {
    double seconds = -meanSeconds * Math.log(1 - random.nextDouble());
    return nanos + (long) (1e9 * seconds);
  }

  /**
   * Takes one that is due, which the caller then does.
   *
   * @param ofMessages whether it is to be one of messages, or one of bytes
   * @return null for none
   */
  synchronized @Nullable NetworkFault take(boolean ofMessages) {
    long now = nanoTime.getAsLong();
    List<NetworkFault> ready = new ArrayList<>();
    for (Map.Entry<NetworkFault, Long> each : due.entrySet()) {
      while (now - each.getValue() > MISSED_NANOS) {
        each.setValue(after(each.getValue()));
      }
      if (each.getKey().ofMessages() == ofMessages && now - each.getValue() >= 0) {
        ready.add(each.getKey());
      }
    }
    if (ready.isEmpty()) {
      return null;
    }
    NetworkFault fault = ready.get(random.nextInt(ready.size()));
    due.put(fault, after(now));
    counts.merge(fault, 1L, Long::sum);
    return fault;
  }

  /** A number from 0 on, below {@code bound}. */
  synchronized int below(int bound) {
    return random.nextInt(bound);
  }

  /** How many there were of each kind. */
  synchronized Map<NetworkFault, Long> counts() {
    return new EnumMap<>(counts);
  }
}
