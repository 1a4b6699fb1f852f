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
    spans =
        spans.stream()
            .filter(s -> s.end() > start && s.start() < end || s.duration() == 0)
            .map(s -> cut(s, start, end))
            .toList();
  }

  /** What belongs to a neighbouring step too is shown as far as it belongs to this one. */
  private static Span cut(Span span, double start, double end) {
    return span.start() >= start && span.end() <= end
        ? span
        : new Span(
            span.device(),
            span.operation(),
            span.index(),
            Math.max(start, span.start()),
            Math.min(end, span.end()));
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
