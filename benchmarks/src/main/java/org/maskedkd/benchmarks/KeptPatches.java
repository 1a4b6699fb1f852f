package org.maskedkd.benchmarks;

import java.nio.ByteBuffer;
import java.util.Random;
import org.maskedkd.vit.VitConfig;

/**
 * A micro-batch of noise as a teacher gets it.
 *
 * @param patches uint8 {@code [batch, kept, channels*patch*patch]}
 * @param kept {@code [batch, kept]}, ascending in each row
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that nobody compares.
record KeptPatches(ByteBuffer patches, int[] kept, int batch) {

  static KeptPatches noise(VitConfig config, int batch, double keep) {
    int count = (int) Math.round(keep * config.patches());
    byte[] bytes = new byte[batch * count * config.patchValues()];
    new Random(1).nextBytes(bytes);
    int[] kept = new int[batch * count];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = i % count * config.patches() / count;
    }
    return new KeptPatches(ByteBuffer.wrap(bytes), kept, batch);
  }

  int perImage() {
    return kept.length / batch;
  }
}
