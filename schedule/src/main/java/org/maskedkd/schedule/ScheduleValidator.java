package org.maskedkd.schedule;

import java.util.Arrays;
import java.util.List;

/**
 * Whether a schedule can be carried out to its end. Any list of actions may be legal, not only a
 * planned one; what a step needs is:
 *
 * <ul>
 *   <li>each micro-batch has exactly one forward and one backward after it, with teachers exactly
 *       one place in their queue, and either all of them or none are offered, before the forward;
 *   <li>looks ahead at the next step come after the last forward, one for each of its micro-batches
 *       that has stale masks, and only where the teachers wait for nothing but patches;
 *   <li>the student never holds more samples than the window allows;
 *   <li>nothing waits for what can only come later: the student's barrier stands behind every
 *       forward, and a backward whose teacher waits for all forwards does too.
 * </ul>
 */
public final class ScheduleValidator {

  private final Schedule schedule;
  private final int count;
  private final int[] offered;
  private final int[] forward;
  private final int[] backward;
  private final int[] queued;
  private final int[] ahead;

  private ScheduleValidator(Schedule schedule) {
    this.schedule = schedule;
    this.count = schedule.sizes().size();
    this.offered = places(count);
    this.forward = places(count);
    this.backward = places(count);
    this.queued = places(count);
    this.ahead = places(schedule.ahead().size());
  }

  private static int[] places(int size) {
    int[] places = new int[size];
    Arrays.fill(places, -1);
    return places;
  }

  /**
   * Returns when the schedule is legal.
   *
   * @param teachers how many there are; 0 when gradients come without any, or for a student that
   *     knows only its own list: the queue must be empty then
   * @throws IllegalArgumentException naming the numbers and the action that do not fit
   */
  public static void check(Schedule schedule, int teachers) {
    if (teachers < 0) {
      throw new IllegalArgumentException("expected 0 teachers or more, found " + teachers);
    }
    if (schedule.sizes().isEmpty()) {
      throw new IllegalArgumentException("a step needs at least one micro-batch, found none");
    }
    checkSizes(schedule.sizes());
    checkSizes(schedule.ahead());
    ScheduleValidator validator = new ScheduleValidator(schedule);
    validator.findStudent();
    validator.findTeachers(teachers);
    validator.checkOrder();
    validator.checkWindow();
    validator.checkBarriers(teachers);
    validator.checkStaleMasks();
  }

  private static void checkSizes(List<Integer> sizes) {
    for (int size : sizes) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "every micro-batch needs at least 1 sample, found the sizes " + sizes);
      }
    }
  }

  private void findStudent() {
    List<Action> actions = schedule.student();
    for (int place = 0; place < actions.size(); place++) {
      Action action = actions.get(place);
      switch (action.operation()) {
        case OFFER -> put(offered, action, place, "student's list");
        case FORWARD -> put(forward, action, place, "student's list");
        case BACKWARD -> put(backward, action, place, "student's list");
        case AWAIT -> {}
        case LOOK_AHEAD -> put(ahead, action, place, "next step's first ones");
        case CHOOSE, TEACHER, OPTIMIZER ->
            throw new IllegalArgumentException(
                "the student's list may hold O, F, A, B and |, found "
                    + action
                    + at(place)
                    + " of "
                    + Action.format(actions));
      }
    }
    requireAll(forward, Operation.FORWARD, "student's list");
    requireAll(backward, Operation.BACKWARD, "student's list");
    requireAll(ahead, Operation.LOOK_AHEAD, "student's list");
    if (schedule.offers()) {
      requireAll(offered, Operation.OFFER, "student's list, which offers some");
    }
  }

  private void findTeachers(int teachers) {
    List<Action> actions = schedule.teachers();
    if (teachers == 0 && !actions.isEmpty()) {
      throw new IllegalArgumentException(
          "without teachers their queue must be empty, found " + Action.format(actions));
    }
    for (int place = 0; place < actions.size(); place++) {
      Action action = actions.get(place);
      switch (action.operation()) {
        case TEACHER -> put(queued, action, place, "teachers' queue");
        case AWAIT -> {}
        case OFFER, CHOOSE, FORWARD, LOOK_AHEAD, BACKWARD, OPTIMIZER ->
            throw new IllegalArgumentException(
                "the teachers' queue may hold T and |, found "
                    + action
                    + at(place)
                    + " of "
                    + Action.format(actions));
      }
    }
    if (teachers > 0) {
      requireAll(queued, Operation.TEACHER, "teachers' queue");
    }
  }

  private void put(int[] places, Action action, int place, String list) {
    int index = action.index();
    if (index < 0 || index >= places.length) {
      throw new IllegalArgumentException(
          "%s%s of the %s names no micro-batch; there are %d, from 0 to %d"
              .formatted(action, at(place), list, places.length, places.length - 1));
    }
    if (places[index] >= 0) {
      throw new IllegalArgumentException(
          "%s stands twice in the %s, as entries %d and %d; expected once"
              .formatted(action, list, places[index] + 1, place + 1));
    }
    places[index] = place;
  }

  private void requireAll(int[] places, Operation operation, String list) {
    for (int i = 0; i < places.length; i++) {
      if (places[i] < 0) {
        throw new IllegalArgumentException(
            "%s is missing in the %s; expected one for each of the %d micro-batches"
                .formatted(new Action(operation, i), list, places.length));
      }
    }
  }

  private void checkOrder() {
    for (int i = 0; i < count; i++) {
      if (offered[i] > forward[i]) {
        throw new IllegalArgumentException(
            "O%d%s comes after F%d%s; an offer is of use only before its forward"
                .formatted(i, at(offered[i]), i, at(forward[i])));
      }
      if (backward[i] < forward[i]) {
        throw new IllegalArgumentException(
            "B%d%s comes before F%d%s, which it needs"
                .formatted(i, at(backward[i]), i, at(forward[i])));
      }
    }
  }

  private void checkWindow() {
    int held = 0;
    for (int place = 0; place < schedule.student().size(); place++) {
      Action action = schedule.student().get(place);
      if (action.operation() == Operation.FORWARD) {
        held += schedule.sizes().get(action.index());
        if (held > schedule.window()) {
          throw new IllegalArgumentException(
              "after %s%s the student holds %d samples, more than the window of %d; sizes %s"
                  .formatted(action, at(place), held, schedule.window(), schedule.sizes()));
        }
      } else if (action.operation() == Operation.BACKWARD) {
        held -= schedule.sizes().get(action.index());
      }
    }
  }

  private void checkBarriers(int teachers) {
    int last = 0;
    for (int i = 1; i < count; i++) {
      last = forward[i] > forward[last] ? i : last;
    }
    int barrier = schedule.student().indexOf(Action.BARRIER);
    if (barrier >= 0 && barrier < forward[last]) {
      throw new IllegalArgumentException(
          "the barrier%s waits for all signals and would never open: that of micro-batch %d needs F%d%s"
              .formatted(at(barrier), last, last, at(forward[last])));
    }
    int queueBarrier = schedule.teachers().indexOf(Action.BARRIER);
    if (teachers == 0 || queueBarrier < 0) {
      return;
    }
    for (int i = 0; i < count; i++) {
      if (queued[i] > queueBarrier && backward[i] < forward[last]) {
        throw new IllegalArgumentException(
            "B%d%s would wait forever: T%d is queued behind a barrier that opens after F%d%s"
                .formatted(i, at(backward[i]), i, last, at(forward[last])));
      }
    }
  }

  private void checkStaleMasks() {
    if (schedule.stale() < 0 || schedule.stale() > count) {
      throw new IllegalArgumentException(
          "stale masks for %d of %d micro-batches; expected 0 to %d"
              .formatted(schedule.stale(), count, count));
    }
    if (schedule.stale() == 0 && ahead.length == 0) {
      return;
    }
    if (schedule.offers() || schedule.teachersWait()) {
      throw new IllegalArgumentException(
          "stale masks are of no use to teachers that "
              + (schedule.offers() ? "are offered all patches" : "wait for every forward")
              + ", in "
              + Action.format(schedule.student()));
    }
    int last = Arrays.stream(forward).max().orElse(0);
    for (int i = 0; i < ahead.length; i++) {
      if (ahead[i] < last) {
        throw new IllegalArgumentException(
            "A%d%s comes before %s%s; the teachers must have this step's patches before the next one's"
                .formatted(i, at(ahead[i]), schedule.student().get(last), at(last)));
      }
    }
  }

  private static String at(int place) {
    return " (entry " + (place + 1) + ")";
  }
}
