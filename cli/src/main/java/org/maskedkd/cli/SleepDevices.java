package org.maskedkd.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.maskedkd.schedule.Cost;
import org.maskedkd.schedule.Costs;

/**
 * Devices that sleep as long as they would compute.
 *
 * @param forward F, the student's forward of a whole batch, in units
 * @param backward B, its backward, in units
 * @param teacher T, one teacher's forward of a whole batch, in units
 * @param optimizer U, the update of the weights, in units
 * @param overhead O, what each task of a micro-batch takes on top, in units
 * @param unit seconds
 */
record SleepDevices(
    double forward,
    double backward,
    double teacher,
    double optimizer,
    double overhead,
    double unit) {
  static final String PREFIX = "sleep:";
  private static final List<String> KEYS = List.of("F", "B", "T", "U", "O", "unit");

  /**
   * Reads {@code sleep:F=1,B=2,T=4,unit=500ms}.
   *
   * @throws IllegalArgumentException naming what is wrong and what is right
   */
  static SleepDevices parse(String text) {
    Map<String, Double> values = new LinkedHashMap<>();
    String rest = text.startsWith(PREFIX) ? text.substring(PREFIX.length()) : "";
    for (String part : rest.split(",", -1)) {
      int equals = part.indexOf('=');
      String key = equals < 0 ? "" : part.substring(0, equals).strip();
      double value = KEYS.contains(key) ? number(key, part.substring(equals + 1).strip()) : -1;
      if (!(value >= 0) || Double.isInfinite(value) || values.put(key, value) != null) {
        throw new IllegalArgumentException(
            "devices are 'real' or such as sleep:F=1,B=2,T=4,unit=500ms with the keys %s, each once and none below 0; found '%s' in '%s'"
                .formatted(String.join(", ", KEYS), part, text));
      }
    }
    SleepDevices devices =
        new SleepDevices(
            values.getOrDefault("F", 1.0),
            values.getOrDefault("B", 2.0),
            values.getOrDefault("T", 4.0),
            values.getOrDefault("U", 0.0),
            values.getOrDefault("O", 0.0),
            values.getOrDefault("unit", 0.5));
    if (devices.forward + devices.backward + devices.teacher == 0 || devices.unit == 0) {
      throw new IllegalArgumentException(
          "devices that take no time measure nothing, found '" + text + "'");
    }
    return devices;
  }

  private static double number(String key, String text) {
    boolean milliseconds = text.endsWith("ms");
    String digits =
        !key.equals("unit") || !text.endsWith("s")
            ? text
            : text.substring(0, text.length() - (milliseconds ? 2 : 1));
    try {
      return Double.parseDouble(digits) / (key.equals("unit") && milliseconds ? 1000 : 1);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  /** Seconds, by the size of a micro-batch; messages take no time. */
  Costs costs(int batch) {
    return new Costs(
        linear(forward, batch),
        linear(teacher, batch),
        linear(backward, batch),
        Cost.NONE,
        Cost.NONE,
        optimizer * unit);
  }

  private Cost linear(double whole, int batch) {
    return Cost.linear(overhead * unit, whole * unit / batch);
  }

  /** The student process's option. */
  String studentOption(int batch) {
    return String.format(
        Locale.ROOT,
        "--sleep=forward=%.9f,backward=%.9f,optimizer=%.9f,overhead=%.9f",
        forward * unit / batch,
        backward * unit / batch,
        optimizer * unit,
        overhead * unit);
  }

  /** The option of a teacher process that is {@code slower} times as slow. */
  String teacherOption(int batch, double slower) {
    return String.format(
        Locale.ROOT,
        "--sleep=teacher=%.9f,overhead=%.9f",
        slower * teacher * unit / batch,
        slower * overhead * unit);
  }
}
