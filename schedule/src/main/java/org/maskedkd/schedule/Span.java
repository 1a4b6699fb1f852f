package org.maskedkd.schedule;

/**
 * A stretch of time in which one device did one thing, simulated or measured.
 *
 * @param device 0 for the student, from 1 on the teachers
 * @param index the micro-batch; 0 where the operation has none
 * @param cpu processor time of it; NaN where that is not known
 */
public record Span(
    int device, Operation operation, int index, double start, double end, double cpu) {

  /** Of which no processor time is known. */
  public Span(int device, Operation operation, int index, double start, double end) {
    this(device, operation, index, start, end, Double.NaN);
  }

  /** The student's device. */
  public static final int STUDENT = 0;

  /** How long it took. */
  public double duration() {
    return end - start;
  }
}
