package org.maskedkd.schedule;

import java.util.List;
import java.util.stream.IntStream;

/**
 * What the tasks of a step cost.
 *
 * @param forward the student's forward, saliency and selection
 * @param teacher the teacher's forward
 * @param backward the student's backward
 * @param indices from the end of a forward until a teacher has the patches (c1)
 * @param signals from the end of a teacher's forward until the student has the gradient (c2)
 * @param optimizer the update of the weights, once a step (u)
 * @param interference how student and teachers slow each other; the other costs are those of tasks
 *     that run alone
 */
public record Costs(
    Cost forward,
    Cost teacher,
    Cost backward,
    Cost indices,
    Cost signals,
    double optimizer,
    Interference interference) {

  /** Of devices that leave each other alone. */
  public Costs(
      Cost forward, Cost teacher, Cost backward, Cost indices, Cost signals, double optimizer) {
    this(forward, teacher, backward, indices, signals, optimizer, Interference.NONE);
  }

  /**
   * No overheads: a whole batch of {@code batch} samples costs F, T and B in one piece or in many.
   */
  public static Costs ideal(int batch, double f, double t, double b) {
    return new Costs(
        Cost.linear(0, f / batch),
        Cost.linear(0, t / batch),
        Cost.linear(0, b / batch),
        Cost.NONE,
        Cost.NONE,
        0);
  }

  /**
   * What no schedule can beat, however it cuts the batch: the busier of student and teachers, each
   * with every sample at the price of the micro-batch in which it is cheapest, which is the whole
   * batch unless large ones cost more, and nothing to wait for.
   *
   * @param slowness per teacher, as for {@link Simulator#run}
   */
  public double bound(int batch, List<Double> slowness) {
    double speed = slowness.stream().mapToDouble(factor -> 1 / factor).sum();
    double teachers = slowness.isEmpty() ? 0 : cheapest(teacher, batch) / speed;
    return Math.max(cheapest(n -> forward.of(n) + backward.of(n), batch), teachers);
  }

  private static double cheapest(Cost cost, int batch) {
    return batch * IntStream.rangeClosed(1, batch).mapToDouble(n -> cost.of(n) / n).min().orElse(0);
  }
}
