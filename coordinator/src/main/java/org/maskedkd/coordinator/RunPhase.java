package org.maskedkd.coordinator;

import java.util.Locale;

/** What a run does at a time. */
enum RunPhase {
  STARTING,
  PROFILING,
  TRAINING,
  EVALUATING,
  CHECKPOINTING,
  EXPORTING,
  WAITING_FOR_STUDENT,
  WAITING_FOR_TEACHER,
  ENDED;

  /** As in metrics: {@code waiting_for_student}. */
  String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
