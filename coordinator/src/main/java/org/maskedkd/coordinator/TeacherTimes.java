package org.maskedkd.coordinator;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.maskedkd.proto.v1.ProfileTeacher;
import org.maskedkd.proto.v1.TeacherProfiled;
import org.maskedkd.runtime.Failures;

/** Has teachers time themselves. Event loop only. */
final class TeacherTimes {

  private final EventLoop loop;
  private final Notices notices;
  private final Map<Integer, TeacherProfiled> first = new LinkedHashMap<>();
  private int withoutAnswer;
  private int atWork;

  /**
   * @param notices what is said to people, such as that a teacher failed
   */
  TeacherTimes(EventLoop loop, Notices notices) {
    this.loop = loop;
    this.notices = notices;
  }

  /**
   * Asks one; its first answer counts.
   *
   * @param again asked after each answer whether it should go on, only to stay at work
   */
  void ask(TeacherLink link, ProfileTeacher request, BooleanSupplier again) {
    atWork++;
    if (!first.containsKey(link.place())) {
      withoutAnswer++;
    }
    link.profile(
        request,
        new Reply<>(
            loop,
            reply -> {
              over(link);
              first.putIfAbsent(link.place(), reply);
              if (again.getAsBoolean()) {
                ask(link, request, again);
              }
            },
            failure -> {
              over(link);
              notices.warn(String.valueOf(Failures.fromStatus(failure, link.name()).getMessage()));
            }));
  }

  private void over(TeacherLink link) {
    atWork--;
    if (!first.containsKey(link.place())) {
      withoutAnswer--;
    }
  }

  /** Whether each has answered once or failed. */
  boolean known() {
    return withoutAnswer == 0;
  }

  /** Waits until none is at work. */
  Map<Integer, TeacherProfiled> finish() {
    loop.runUntil(() -> atWork == 0);
    return first;
  }
}
