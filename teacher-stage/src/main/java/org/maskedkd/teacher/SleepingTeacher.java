package org.maskedkd.teacher;

import java.nio.ByteBuffer;
import java.util.Set;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.VitConfig;

/**
 * Sleeps as long as a model would compute, so that schedules can be measured on a machine that is
 * too small or too busy for it; every number is zero.
 */
record SleepingTeacher(SleepTimes times, VitConfig config) implements TeacherDevice {
  static final Set<String> OPERATIONS = Set.of("teacher");

  @Override
  public Signal forward(
      ByteBuffer patches, int[] kept, int batch, int merge, FeatureLayers features) {
    SleepTimes.sleepUntil(times.deadline("teacher", batch));
    return new Signal(
        new float[batch * config.classes()],
        new float[features.tokens().size() * kept.length * config.width()],
        new float[features.attention().size() * kept.length]);
  }
}
