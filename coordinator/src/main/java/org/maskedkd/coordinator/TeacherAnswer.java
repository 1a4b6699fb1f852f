package org.maskedkd.coordinator;

import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Span;

/**
 * What a teacher says of a micro-batch; the first valid one for its key.
 *
 * @param logits {@code [samples, classes]}
 * @param teacher which one of the pool, from 0 on
 * @param span when the teacher computed it, on its own clock
 */
// The array is handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record TeacherAnswer(MicroBatchKey key, int teacher, float[] logits, Span span) {}
