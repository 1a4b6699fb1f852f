package org.maskedkd.teacher;

import java.nio.ByteBuffer;

/** What computes the masked forward; one thread at a time may use it. */
interface TeacherDevice {
  /**
   * The masked forward.
   *
   * @param patches uint8 {@code [batch, kept, channels*patch*patch]}, not normalised; read, not
   *     kept
   * @param kept int32 row-major {@code [batch, kept]}, places on the teacher's grid
   * @return float32 {@code [batch, classes]}, row-major
   */
  float[] logits(ByteBuffer patches, int[] kept, int batch);

  /** Whether all computing is done by the calling thread, whose processor time is then a task's. */
  default boolean onCallingThread() {
    return false;
  }
}
