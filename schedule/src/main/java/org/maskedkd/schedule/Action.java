package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * One entry of a schedule, written {@code F3}, {@code T0} or {@code |}.
 *
 * @param index the micro-batch, from 0 on; 0 where the operation has none
 */
public record Action(Operation operation, int index) {

  /** {@link Operation#AWAIT}. */
  public static final Action BARRIER = new Action(Operation.AWAIT, 0);

  /** The notation of a list, such as {@code F0 F1 | B0 B1}. */
  public static String format(List<Action> actions) {
    return actions.stream().map(Action::toString).collect(Collectors.joining(" "));
  }

  /**
   * Reads what {@link #format} writes.
   *
   * @throws IllegalArgumentException naming the word that is no action
   */
  public static List<Action> parse(String notation) {
    List<Action> actions = new ArrayList<>();
    for (String word : notation.strip().split("\\s+")) {
      actions.add(one(word));
    }
    return List.copyOf(actions);
  }

  private static Action one(String word) {
    if (word.equals(BARRIER.toString())) {
      return BARRIER;
    }
    for (Operation operation : Operation.values()) {
      if (operation.hasIndex()
          && !word.isEmpty()
          && word.charAt(0) == operation.letter()
          && word.substring(1).matches("\\d{1,9}")) {
        return new Action(operation, Integer.parseInt(word.substring(1)));
      }
    }
    throw new IllegalArgumentException(
        "'" + word + "' is no action; expected O, F, T, A or B with a micro-batch's number, or |");
  }

  @Override
  public String toString() {
    return operation.hasIndex()
        ? "" + operation.letter() + index
        : String.valueOf(operation.letter());
  }
}
