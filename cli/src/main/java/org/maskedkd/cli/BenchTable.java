package org.maskedkd.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Rows as people read them. */
final class BenchTable {
  private static final String NONE = "–";
  private static final int MOST_SIZES = 30;

  private BenchTable() {}

  static String of(List<BenchRow> rows) {
    int widest = rows.stream().mapToInt(row -> sizes(row).length()).max().orElse(0);
    String head = "%-20s %-" + Math.max(widest, "micro-batches".length()) + "s ";
    StringBuilder table = new StringBuilder();
    table.append(
        String.format(
            Locale.ROOT,
            head + "%5s %5s %2s  %9s %9s %8s %9s %10s %9s %9s %10s %9s %8s%n",
            "schedule",
            "micro-batches",
            "keep",
            "prec.",
            "K",
            "step",
            "images/s",
            "bubble",
            "imbalance",
            "predicted",
            "bare",
            "bound",
            "efficiency",
            "data",
            "memory"));
    for (BenchRow row : rows) {
      table.append(
          String.format(
              Locale.ROOT,
              head + "%5.2f %5s %2d  %9s %9.1f %8s %9s %10s %9s %9s %10s %9s %8s%n",
              (row.valid() ? "" : "! ") + row.schedule(),
              sizes(row),
              row.keep(),
              row.precision(),
              row.teachers(),
              seconds(row.stepSeconds()),
              row.imagesPerSecond(),
              share(row.bubble()),
              share(row.imbalance()),
              seconds(row.predictedStepSeconds()),
              seconds(row.bareStepSeconds()),
              seconds(row.boundSeconds()),
              share(row.efficiency()),
              seconds(row.dataCpuSeconds()),
              bytes(row.peakBytes().values().stream().mapToLong(Long::longValue).sum())));
    }
    if (rows.stream().anyMatch(row -> !row.valid())) {
      table.append(
          String.format(
              Locale.ROOT,
              "! invalid: other processes used more than %.0f %% of the machine%n",
              100 * BenchRow.MOST_OTHERS));
    }
    return table.toString();
  }

  private static String sizes(BenchRow row) {
    boolean even =
        row.sizes().stream().mapToInt(Integer::intValue).max().orElse(0)
                - row.sizes().stream().mapToInt(Integer::intValue).min().orElse(0)
            <= 1;
    if (even) {
      return Integer.toString(row.microBatches());
    }
    String all = row.sizes().stream().map(String::valueOf).collect(Collectors.joining(":"));
    return all.length() <= MOST_SIZES ? all : row.microBatches() + " uneven";
  }

  private static String seconds(@Nullable Double value) {
    if (value == null) {
      return NONE;
    }
    return value < 1
        ? String.format(Locale.ROOT, "%.1f ms", 1000 * value)
        : String.format(Locale.ROOT, "%.3f s", value);
  }

  private static String share(@Nullable Double value) {
    return value == null ? NONE : String.format(Locale.ROOT, "%.1f %%", 100 * value);
  }

  private static String bytes(long bytes) {
    return String.format(Locale.ROOT, "%.0f MiB", bytes / (double) (1 << 20));
  }
}
