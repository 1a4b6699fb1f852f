package org.maskedkd.coordinator;

import java.util.List;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;

/**
 * A micro-batch for a teacher, kept until its signal is there so that another teacher can have it.
 *
 * @param frames the messages, bytes as the student sent them
 * @param samples how many images it has
 * @param kept patches of each
 */
record MaskedWork(MicroBatchKey key, int samples, int kept, List<MaskedMicroBatch> frames) {

  /** What the teacher is asked for beside the logits. */
  Features features() {
    return frames.get(0).getFeatures();
  }
}
