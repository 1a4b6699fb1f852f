package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;

/** Whether the run gets on, and if not, for want of whom. Event loop only. */
final class RunState {

  private final Readiness readiness;
  private long step;
  private @Nullable String student;
  private @Nullable String teachers;

  RunState(Readiness readiness) {
    this.readiness = readiness;
    tell();
  }

  /** This step is under way. */
  void training(long underWay) {
    step = underWay;
    student = null;
    tell();
  }

  /** The student is away until the next step begins. */
  void studentAway(String why) {
    student = why;
    tell();
  }

  /**
   * @param why no teacher takes work, or null if one does
   */
  void teachersAway(@Nullable String why) {
    teachers = why;
    tell();
  }

  private void tell() {
    if (student != null) {
      readiness.set(/* ready= */ false, "the student is away: " + student);
    } else if (teachers != null) {
      readiness.set(/* ready= */ false, "no teacher: " + teachers);
    } else if (step == 0) {
      readiness.set(/* ready= */ false, "starting");
    } else {
      readiness.set(/* ready= */ true, "training, step " + step);
    }
  }
}
