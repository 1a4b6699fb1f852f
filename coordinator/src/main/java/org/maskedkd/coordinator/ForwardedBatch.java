package org.maskedkd.coordinator;

import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.MicroBatchKey;

/**
 * A micro-batch that the student has run forward.
 *
 * @param target {@code [samples, classes]}
 * @param work what goes to a teacher; null when there is none
 */
// The arrays are handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record ForwardedBatch(
    MicroBatchKey key,
    int samples,
    StudentLogits logits,
    float[] target,
    @Nullable MaskedWork work) {}
