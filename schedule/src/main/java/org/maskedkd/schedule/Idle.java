package org.maskedkd.schedule;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What a device's time in one step was spent on; {@link #busy} and all causes add up to the step.
 *
 * @param device 0 for the student, from 1 on the teachers
 * @param idle time per cause, every cause named
 */
public record Idle(int device, double busy, Map<IdleCause, Double> idle) {

  public Idle {
    idle = Map.copyOf(idle);
  }

  /**
   * One for the student, then one for each teacher.
   *
   * @param spans what the devices did, simulated or measured on clocks that nearly agree. Where
   *     spans of one device overlap they count once; what lies outside of the step does not count
   * @param schedule what they carried out
   * @param teachers how many there are, whether or not they did anything
   */
  public static List<Idle> of(
      List<Span> spans, Schedule schedule, int teachers, double start, double end) {
    return new IdleSplit(spans, schedule, start, end).devices(teachers);
  }

  /** Time for this cause. */
  public double of(IdleCause cause) {
    return idle.getOrDefault(cause, 0.0);
  }

  /** Time for all causes. */
  public double total() {
    return idle.values().stream().mapToDouble(Double::doubleValue).sum();
  }

  static Idle of(int device, double busy, EnumMap<IdleCause, Double> idle) {
    for (IdleCause cause : IdleCause.values()) {
      idle.putIfAbsent(cause, 0.0);
    }
    return new Idle(device, busy, idle);
  }
}
