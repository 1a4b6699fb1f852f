package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Turns sizes, order and window into the list of actions that the devices carry out. Pure. */
public final class SchedulePlanner {

  private SchedulePlanner() {}

  /**
   * The schedule of a step.
   *
   * @param sizes samples per micro-batch
   * @param window most samples whose activations the student may hold; at least the batch for the
   *     orders that keep all of it
   * @param teachers how many there are, 0 for none
   * @throws IllegalArgumentException naming the numbers that do not fit
   */
  public static Schedule plan(Order order, List<Integer> sizes, int window, int teachers) {
    check(order, sizes, window);
    List<Action> student =
        switch (order) {
          case SEQUENTIAL -> eager(sizes, 0);
          case EAGER -> eager(sizes, window);
          case CONCURRENT_FULL -> {
            List<Action> offered = new ArrayList<>(all(Operation.OFFER, sizes.size()));
            offered.addAll(eager(sizes, window));
            yield offered;
          }
          case MASKED_WHOLE, FILL_DRAIN -> {
            List<Action> whole = new ArrayList<>(all(Operation.FORWARD, sizes.size()));
            whole.add(Action.BARRIER);
            whole.addAll(all(Operation.BACKWARD, sizes.size()));
            yield whole;
          }
        };
    List<Action> queue = new ArrayList<>();
    if (teachers > 0) {
      if (order == Order.MASKED_WHOLE) {
        queue.add(Action.BARRIER);
      }
      queue.addAll(all(Operation.TEACHER, sizes.size()));
    }
    return new Schedule(order, sizes, window, student, queue);
  }

  /**
   * The same step with stale masks. Straight after its last forward the student looks ahead at the
   * next step's first micro-batches: earlier the teachers have what they need, later the student
   * may have a backward to do that they wait for. This changes what is computed, see {@link
   * Operation#LOOK_AHEAD}.
   *
   * @param stale how many micro-batches of this step the one before looked ahead at
   * @param ahead samples of the next step's first micro-batches, to look ahead at
   * @throws IllegalArgumentException if the order has no use for that, or there are fewer
   *     micro-batches than {@code stale}
   */
  public static Schedule withStaleMasks(Schedule exact, int stale, List<Integer> ahead) {
    if (exact.order() != Order.EAGER && exact.order() != Order.FILL_DRAIN) {
      throw new IllegalArgumentException(
          "stale masks let the teachers begin before a step's first forward, which is of use with order eager or fill-drain, found "
              + exact.order().text());
    }
    if (stale < 0 || stale > exact.sizes().size()) {
      throw new IllegalArgumentException(
          "stale masks for %d micro-batches of %d; expected 0 to %d"
              .formatted(stale, exact.sizes().size(), exact.sizes().size()));
    }
    List<Action> student = new ArrayList<>(exact.student());
    student.removeIf(action -> action.operation() == Operation.LOOK_AHEAD);
    int last = student.lastIndexOf(new Action(Operation.FORWARD, exact.sizes().size() - 1));
    student.addAll(last + 1, all(Operation.LOOK_AHEAD, ahead.size()));
    return new Schedule(
        exact.order(), exact.sizes(), exact.window(), student, exact.teachers(), stale, ahead);
  }

  /** Step after step the same sizes, and in each the first {@code count} masks stale. */
  public static Schedule withStaleMasks(Schedule exact, int count) {
    int most = exact.sizes().size();
    return withStaleMasks(
        exact, count, exact.sizes().subList(0, Math.max(0, Math.min(count, most))));
  }

  /**
   * {@code count} sizes that add up to {@code batch} and differ by at most one, the larger ones
   * first.
   *
   * @throws IllegalArgumentException unless {@code 1 <= count <= batch}
   */
  public static List<Integer> uniform(int batch, int count) {
    if (count < 1 || count > batch) {
      throw new IllegalArgumentException(
          "a batch of %d samples cannot be cut into %d micro-batches; expected 1 to %d"
              .formatted(batch, count, batch));
    }
    List<Integer> sizes = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      sizes.add(batch / count + (i < batch % count ? 1 : 0));
    }
    return Collections.unmodifiableList(sizes);
  }

  /** The fewest samples that the window must have room for in this order. */
  public static int leastWindow(Order order, List<Integer> sizes) {
    return switch (order) {
      case MASKED_WHOLE, FILL_DRAIN -> sizes.stream().mapToInt(Integer::intValue).sum();
      case SEQUENTIAL, CONCURRENT_FULL, EAGER -> Collections.max(sizes);
    };
  }

  private static List<Action> eager(List<Integer> sizes, int window) {
    List<Action> actions = new ArrayList<>();
    int held = 0;
    int forwards = 0;
    for (int backwards = 0; backwards < sizes.size(); backwards++) {
      while (forwards < sizes.size() && (held == 0 || held + sizes.get(forwards) <= window)) {
        held += sizes.get(forwards);
        actions.add(new Action(Operation.FORWARD, forwards++));
      }
      actions.add(new Action(Operation.BACKWARD, backwards));
      held -= sizes.get(backwards);
    }
    return actions;
  }

  private static List<Action> all(Operation operation, int count) {
    List<Action> actions = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      actions.add(new Action(operation, i));
    }
    return actions;
  }

  private static void check(Order order, List<Integer> sizes, int window) {
    if (sizes.isEmpty()) {
      throw new IllegalArgumentException("a step needs at least one micro-batch, found none");
    }
    for (int size : sizes) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "every micro-batch needs at least 1 sample, found the sizes " + sizes);
      }
    }
    int needed = leastWindow(order, sizes);
    if (window < needed) {
      throw new IllegalArgumentException(
          "a window of %d samples cannot hold the %d that order %s needs with the sizes %s"
              .formatted(window, needed, order.text(), sizes));
    }
  }
}
