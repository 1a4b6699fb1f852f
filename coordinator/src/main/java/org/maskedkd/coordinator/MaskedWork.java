package org.maskedkd.coordinator;

import java.util.List;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;

/**
 * A micro-batch for a teacher, kept until its signal is there so that another teacher can have it.
 *
 * @param frames the messages, bytes as the student sent them
 * @param samples how many images it has
 */
record MaskedWork(MicroBatchKey key, int samples, List<MaskedMicroBatch> frames) {}
