package org.maskedkd.coordinator;

import java.util.List;
import java.util.Locale;

/** Rules about values, and what was found where one is broken. */
abstract class RuleChecks {

  private final List<String> broken;

  /**
   * @param broken gets a text for each broken rule
   */
  RuleChecks(List<String> broken) {
    this.broken = broken;
  }

  final List<String> broken() {
    return broken;
  }

  final void atLeast(String key, int value, int least) {
    require(value >= least, "%s is %s, expected at least %s", key, value, least);
  }

  final void share(String key, double value) {
    require(value >= 0 && value <= 1, "%s is %s, expected [0, 1]", key, value);
  }

  final void belowOne(String key, double value) {
    require(value >= 0 && value < 1, "%s is %s, expected [0, 1)", key, value);
  }

  final void positive(String key, double value) {
    require(value > 0 && Double.isFinite(value), "%s is %s, expected more than 0", key, value);
  }

  final void notNegative(String key, double value) {
    require(value >= 0 && Double.isFinite(value), "%s is %s, expected at least 0", key, value);
  }

  final void require(boolean kept, String message, Object... values) {
    if (!kept) {
      broken.add(String.format(Locale.ROOT, message, values));
    }
  }
}
