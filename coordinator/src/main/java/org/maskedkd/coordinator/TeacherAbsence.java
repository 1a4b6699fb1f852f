package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * The time without any teacher: the run says so, again and again at growing intervals, and ends
 * when patience is over. Event loop only.
 */
final class TeacherAbsence {

  private static final Duration FIRST_WORD = Duration.ofSeconds(2);

  private final EventLoop loop;
  private final Patience patience;
  private final Supplier<String> reasons;
  private final BooleanSupplier nothingToDo;
  private final Notices notices;
  private final RunState state;
  private EventLoop.@Nullable Timer budget;
  private EventLoop.@Nullable Timer word;
  private long beganNanos;

  /**
   * @param reasons of each teacher's absence
   * @param nothingToDo whether no work waits and a teacher is there who has none either
   */
  TeacherAbsence(
      EventLoop loop,
      Patience patience,
      Supplier<String> reasons,
      BooleanSupplier nothingToDo,
      Notices notices,
      RunState state) {
    this.loop = loop;
    this.patience = patience;
    this.reasons = reasons;
    this.nothingToDo = nothingToDo;
    this.notices = notices;
    this.state = state;
  }

  /** There is no teacher now; may be told again. */
  void begin() {
    state.teachersAway(reasons.get());
    if (budget == null) {
      beganNanos = loop.nanoTime();
      budget = loop.schedule(patience.teachers(), this::over);
      word = loop.schedule(FIRST_WORD, () -> say(FIRST_WORD));
    }
  }

  /** There is one. */
  void end() {
    if (budget != null && word != null) {
      budget.cancel();
      word.cancel();
      budget = null;
      word = null;
      state.teachersAway(null);
    }
  }

  private void say(Duration since) {
    String why = reasons.get();
    notices.warn(
        "no teacher for "
            + since.toSeconds()
            + " s, waiting up to "
            + patience.teachers().toSeconds()
            + " s: "
            + why);
    state.teachersAway(why);
    Duration next = since.multipliedBy(2);
    Duration passed = Duration.ofNanos(loop.nanoTime() - beganNanos);
    word = loop.schedule(next.minus(passed), () -> say(next));
  }

  private void over() {
    if (nothingToDo.getAsBoolean()) {
      end();
      return;
    }
    throw new RunException(
        ExitCode.PEER_AWAY,
        "no teacher for " + patience.teachers().toSeconds() + " s: " + reasons.get());
  }
}
