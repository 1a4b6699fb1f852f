package org.maskedkd.schedule;

import java.util.List;

/**
 * A step to draw, simulated or measured.
 *
 * @param title one line
 * @param teachers how many rows below the student's
 */
public record StepPicture(String title, List<Span> spans, int teachers, double start, double end) {

  public StepPicture {
    spans = List.copyOf(spans);
  }

  /** A simulated step. */
  public static StepPicture of(String title, Simulation simulation) {
    int teachers = simulation.utilization().busy().size() - 1;
    return new StepPicture(title, simulation.spans(), teachers, 0, simulation.step());
  }

  /** From its start to its end. */
  public double duration() {
    return end - start;
  }

  /** How busy its devices were. */
  public Utilization utilization() {
    return Utilization.of(spans, teachers, start, end);
  }

  String device(int device) {
    if (device == Span.STUDENT) {
      return "student";
    }
    return teachers == 1 ? "teacher" : "teacher " + device;
  }

  static String label(Span span) {
    return new Action(span.operation(), span.index()).toString();
  }
}
