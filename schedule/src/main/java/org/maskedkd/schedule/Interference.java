package org.maskedkd.schedule;

/**
 * How much longer a task takes while the other side, student or teachers, computes too, against
 * what it takes alone. Devices with a memory of their own leave each other alone; cores of one
 * processor share its bandwidth and its clock.
 *
 * @param forward of the student, while a teacher computes
 * @param backward of the student, while a teacher computes
 * @param teacher while the student computes
 */
public record Interference(double forward, double backward, double teacher) {

  public static final Interference NONE = new Interference(1, 1, 1);

  /**
   * @throws IllegalArgumentException naming a factor that is not a number from 1 on
   */
  public Interference {
    check("forward", forward);
    check("backward", backward);
    check("teacher", teacher);
  }

  private static void check(String name, double factor) {
    if (!(factor >= 1) || Double.isInfinite(factor)) {
      throw new IllegalArgumentException(
          "a %s cannot take %s times as long beside other work as alone; the factor is a number from 1 on"
              .formatted(name, factor));
    }
  }

  double of(Operation operation) {
    return switch (operation) {
      case FORWARD -> forward;
      case BACKWARD -> backward;
      case TEACHER -> teacher;
      case OFFER, CHOOSE, LOOK_AHEAD, AWAIT, OPTIMIZER -> 1;
    };
  }
}
