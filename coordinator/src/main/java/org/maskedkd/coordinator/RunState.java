package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;

/** What the run does, and whether it gets on; if not, for want of whom. Event loop only. */
final class RunState {

  private final Readiness readiness;
  private final RunMetrics metrics;
  private RunPhase doing = RunPhase.STARTING;
  private RunPhase shown = RunPhase.STARTING;
  private long step;
  private @Nullable String student;
  private @Nullable String teachers;

  RunState(Readiness readiness, RunMetrics metrics) {
    this.readiness = readiness;
    this.metrics = metrics;
    tell();
  }

  /** This step is under way. */
  void training(long underWay) {
    step = underWay;
    student = null;
    doing(RunPhase.TRAINING);
  }

  /** What the run does beside training, until the next step begins. */
  void doing(RunPhase phase) {
    doing = phase;
    tell();
  }

  /** The run is over, whatever its end. */
  void ended() {
    show(RunPhase.ENDED);
    readiness.set(/* ready= */ false, "the run has ended");
  }

  /** The student is away until the next step begins. */
  void studentAway(String why) {
    student = why;
    metrics.lost("student");
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
      show(RunPhase.WAITING_FOR_STUDENT);
      readiness.set(/* ready= */ false, "the student is away: " + student);
    } else if (teachers != null) {
      show(RunPhase.WAITING_FOR_TEACHER);
      readiness.set(/* ready= */ false, "no teacher: " + teachers);
    } else if (step == 0) {
      show(doing);
      readiness.set(/* ready= */ false, "starting");
    } else {
      show(doing);
      readiness.set(/* ready= */ true, doing.text() + ", step " + step);
    }
  }

  private void show(RunPhase now) {
    metrics.phase(shown, now);
    shown = now;
  }
}
