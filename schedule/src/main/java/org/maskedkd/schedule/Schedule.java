package org.maskedkd.schedule;

import java.util.List;

/**
 * How one step goes: what the student does, one action after another, and in which order the
 * teachers' queue holds the micro-batches. Which of several teachers takes a micro-batch is not
 * planned: {@link Dispatcher} decides on the way.
 *
 * @param sizes samples per micro-batch, adding up to the batch
 * @param window most samples whose activations the student holds at once
 * @param student offers, forwards, looks ahead, barriers and backwards
 * @param teachers the queue: teacher forwards and barriers; empty without teachers
 * @param stale how many of the first micro-batches the step before handed over, their patches
 *     chosen by its weights; 0 unless the method itself may be changed
 * @param ahead samples of the next step's first micro-batches that this step looks ahead at
 */
public record Schedule(
    Order order,
    List<Integer> sizes,
    int window,
    List<Action> student,
    List<Action> teachers,
    int stale,
    List<Integer> ahead) {

  public Schedule {
    sizes = List.copyOf(sizes);
    student = List.copyOf(student);
    teachers = List.copyOf(teachers);
    ahead = List.copyOf(ahead);
  }

  /** A step that has nothing to do with its neighbours. */
  public Schedule(
      Order order, List<Integer> sizes, int window, List<Action> student, List<Action> teachers) {
    this(order, sizes, window, student, teachers, 0, List.of());
  }

  /** Samples of all micro-batches together. */
  public int batch() {
    return sizes.stream().mapToInt(Integer::intValue).sum();
  }

  /** Whether patches go out before the forward, so that the teachers need not wait for it. */
  public boolean offers() {
    return student.stream().anyMatch(action -> action.operation() == Operation.OFFER);
  }

  /** Whether the teachers' queue opens only when every micro-batch was forwarded. */
  public boolean teachersWait() {
    return teachers.contains(Action.BARRIER);
  }
}
