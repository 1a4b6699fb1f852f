package org.maskedkd.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;

/**
 * What one row measures.
 *
 * @param schedule an order's name, or {@code auto} for eager with the sizes that simulation finds
 * @param microBatches a number, sizes with colons between, or {@code auto}
 */
record BenchCase(
    String schedule,
    String microBatches,
    double keep,
    RunConfig.Precision precision,
    int teachers) {
  static final String AUTO = "auto";

  Order order() {
    return schedule.equals(AUTO) ? Order.EAGER : Order.of(schedule);
  }

  /** Whether the coordinator chooses the sizes. */
  boolean choosesSizes() {
    return microBatches.equals(AUTO);
  }

  /**
   * The sizes that are asked for; empty when the coordinator chooses them.
   *
   * @throws IllegalArgumentException if they are none, or do not add up to {@code batch}
   */
  List<Integer> sizes(int batch) {
    if (choosesSizes()) {
      return List.of();
    }
    if (!microBatches.matches("\\d{1,6}(:\\d{1,6})*")) {
      throw new IllegalArgumentException(
          "micro-batches are a number, sizes such as 4:16:12, or auto; found '%s'"
              .formatted(microBatches));
    }
    List<Integer> sizes = Arrays.stream(microBatches.split(":")).map(Integer::valueOf).toList();
    if (sizes.size() == 1) {
      return SchedulePlanner.uniform(batch, sizes.get(0));
    }
    int sum = sizes.stream().mapToInt(Integer::intValue).sum();
    if (sum != batch) {
      throw new IllegalArgumentException(
          "the sizes %s add up to %d, the batch has %d".formatted(microBatches, sum, batch));
    }
    return sizes;
  }

  @Override
  public String toString() {
    return "%s, micro-batches %s, keep %s, %s, %d teacher%s"
        .formatted(
            schedule,
            microBatches,
            keep,
            precision.name().toLowerCase(Locale.ROOT),
            teachers,
            teachers == 1 ? "" : "s");
  }
}
