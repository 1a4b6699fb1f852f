package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One axis of a chart.
 *
 * @param low where it begins
 * @param high where it ends, above {@code low}
 * @param step between its ticks: 1, 2 or 5 times a power of ten
 */
record ChartAxis(double low, double high, double step) {

  /** From tick to tick, with all values between. */
  static ChartAxis rounded(double low, double high, int mostTicks) {
    double end = high > low ? high : low == 0 ? 1 : low + Math.abs(low) / 10;
    double step = step((end - low) / mostTicks);
    return new ChartAxis(Math.floor(low / step) * step, Math.ceil(end / step) * step, step);
  }

  /** From the first value to the last, which are whole numbers, as the ticks are. */
  static ChartAxis whole(double low, double high, int mostTicks) {
    double end = high > low ? high : low + 1;
    return new ChartAxis(low, end, Math.max(1, step((end - low) / mostTicks)));
  }

  /** The least of 1, 2 and 5 times a power of ten that is not below {@code least}. */
  private static double step(double least) {
    double power = Math.pow(10, Math.floor(Math.log10(least)));
    for (int factor : new int[] {1, 2, 5}) {
      if (factor * power >= least * (1 - 1e-9)) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  List<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    for (long i = (long) Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      ticks.add(i * step);
    }
    return ticks;
  }

  /** A tick as it is written at the axis: thousands as k, millions as M. */
  String label(double tick) {
    for (int i = 0; i < 2; i++) {
      double unit = i == 0 ? 1e6 : 1e3;
      if (Math.abs(high) >= 10 * unit || (step >= unit && Math.abs(high) >= unit)) {
        return plain(tick / unit, step / unit) + (tick == 0 ? "" : i == 0 ? "M" : "k");
      }
    }
    return plain(tick, step);
  }

  private static String plain(double value, double step) {
    int decimals = (int) Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    return String.format(Locale.ROOT, "%." + decimals + "f", value + 0.0);
  }

  /** Where a value is between {@code from}, the axis's begin, and {@code to}, its end. */
  double place(double value, double from, double to) {
    return from + (value - low) / (high - low) * (to - from);
  }
}
