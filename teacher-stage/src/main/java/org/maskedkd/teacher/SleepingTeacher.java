package org.maskedkd.teacher;

import java.nio.ByteBuffer;
import java.util.Set;
import org.maskedkd.runtime.SleepTimes;

/**
 * Sleeps as long as a model would compute, so that schedules can be measured on a machine that is
 * too small or too busy for it; every logit is zero.
 */
record SleepingTeacher(SleepTimes times, int classes) implements TeacherDevice {
  static final Set<String> OPERATIONS = Set.of("teacher");

  @Override
  public float[] logits(ByteBuffer patches, int[] kept, int batch) {
    SleepTimes.sleepUntil(times.deadline("teacher", batch));
    return new float[batch * classes];
  }
}
