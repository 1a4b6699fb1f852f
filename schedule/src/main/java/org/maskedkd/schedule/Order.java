package org.maskedkd.schedule;

import java.util.Locale;

/** The orders in which a step can be carried out. All of them give the same gradient. */
public enum Order {
  /**
   * One device at a time: a micro-batch goes through forward, teacher and backward, then the next.
   */
  SEQUENTIAL,
  /**
   * Plain distillation on two devices: the teachers see all patches, need nothing of the student's
   * forward and begin with it.
   */
  CONCURRENT_FULL,
  /** The teachers wait for the whole batch's forwards, the backwards for all signals. */
  MASKED_WHOLE,
  /** GPipe: the teachers follow the forwards at once, the backwards wait for all signals. */
  FILL_DRAIN,
  /**
   * Forwards first inside the window, backwards in index order as soon as their signal is there.
   */
  EAGER;

  /** As in configurations and tables: {@code fill-drain}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The order of this {@link #text}, or an exception that names all of them. */
  public static Order of(String text) {
    StringBuilder known = new StringBuilder();
    for (Order order : values()) {
      if (order.text().equals(text)) {
        return order;
      }
      known.append(known.isEmpty() ? "" : ", ").append(order.text());
    }
    throw new IllegalArgumentException("no order is called '" + text + "'; there are " + known);
  }
}
