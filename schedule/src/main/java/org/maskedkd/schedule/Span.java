package org.maskedkd.schedule;

/**
 * A stretch of time in which one device did one thing, simulated or measured.
 *
 * @param device 0 for the student, from 1 on the teachers
 * @param index the micro-batch; 0 where the operation has none
 */
public record Span(int device, Operation operation, int index, double start, double end) {

  /** The student's device. */
  public static final int STUDENT = 0;

  /** How long it took. */
  public double duration() {
    return end - start;
  }
}
