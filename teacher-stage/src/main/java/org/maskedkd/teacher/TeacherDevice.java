package org.maskedkd.teacher;

import java.nio.ByteBuffer;
import org.maskedkd.vit.FeatureLayers;

/** What computes the masked forward; one thread at a time may use it. */
interface TeacherDevice {
  /**
   * What a masked forward gives, row-major.
   *
   * @param logits float32 {@code [batch, classes]}
   * @param tokens float32 {@code [blocks, batch, kept, width]} of the blocks that were asked for
   * @param attention float32 {@code [blocks, batch, kept]} of the blocks that were asked for
   */
  // The arrays are handed on, never compared.
  @SuppressWarnings("ArrayRecordComponent")
  record Signal(float[] logits, float[] tokens, float[] attention) {}

  /**
   * The masked forward.
   *
   * @param patches uint8 {@code [batch, kept, channels*patch*patch]}, not normalised; read, not
   *     kept
   * @param kept int32 row-major {@code [batch, kept]}, places on the teacher's grid
   * @param merge tokens that each block merges, 0 for none
   * @param features what of inner blocks is wanted beside the logits; nothing where tokens merge
   */
  Signal forward(ByteBuffer patches, int[] kept, int batch, int merge, FeatureLayers features);

  /** Whether all computing is done by the calling thread, whose processor time is then a task's. */
  default boolean onCallingThread() {
    return false;
  }
}
