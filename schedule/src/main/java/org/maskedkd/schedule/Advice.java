package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Whether the same devices could do better than with a pipeline: a pipeline leaves the less busy
 * side idle, whereas copies of student and teacher side by side on every device share all work
 * evenly, at the price of exchanging gradients, which is not counted here.
 *
 * @param serial one device that does everything
 * @param coLocated as many devices as the pipeline has, each with student and teacher and a share
 *     of the batch by its speed: no pipeline can beat it by ideal numbers
 * @param usefulTeachers more than these make no step shorter
 * @param sentences what a person should know; empty if the pipeline is the fastest
 */
public record Advice(double serial, double coLocated, int usefulTeachers, List<String> sentences) {

  public Advice {
    sentences = List.copyOf(sentences);
  }

  /**
   * For a step that takes {@code step}, predicted or measured.
   *
   * @param slowness per teacher, as for {@link Simulator#run}
   */
  public static Advice of(Costs costs, int batch, List<Double> slowness, double step) {
    double student = costs.forward().of(batch) + costs.backward().of(batch);
    double teacher = slowness.isEmpty() ? 0 : costs.teacher().of(batch);
    double serial = student + teacher + costs.optimizer();
    int devices = 1 + slowness.size();
    double speed = 1 + slowness.stream().mapToDouble(factor -> 1 / factor).sum();
    double coLocated = (student + teacher) / speed + costs.optimizer();
    int useful = slowness.isEmpty() ? 0 : usefulTeachers(teacher, student);
    List<String> sentences = new ArrayList<>();
    if (slowness.isEmpty()) {
      return new Advice(serial, coLocated, useful, sentences);
    }
    if (serial <= step) {
      sentences.add(
          format(
              "One device that does everything takes %.4g against %.4g: the pipeline gains nothing.",
              serial, step));
    }
    if (coLocated <= step) {
      sentences.add(
          format(
              "Student and teacher together on each of the %d devices, every one with its share of the batch, would take %.4g against %.4g, before exchanging gradients.",
              devices, coLocated, step));
    }
    if (slowness.size() > useful) {
      sentences.add(
          format(
              "%d of %d teachers are enough: with them the student is the busier side already.",
              useful, slowness.size()));
    }
    return new Advice(serial, coLocated, useful, sentences);
  }

  /** From here on the student is the bottleneck; rounding must not ask for one more. */
  private static int usefulTeachers(double teacher, double student) {
    return Math.max(1, (int) Math.ceil(teacher / student - 1e-9));
  }

  private static String format(String text, Object... values) {
    return String.format(Locale.ROOT, text, values);
  }
}
