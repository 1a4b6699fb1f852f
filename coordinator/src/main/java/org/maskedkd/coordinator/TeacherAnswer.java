package org.maskedkd.coordinator;

import java.util.List;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.Tensor;

/**
 * What a teacher says of a micro-batch; the first valid one for its key.
 *
 * @param logits {@code [samples, classes]}
 * @param features frames of what else was asked for, to be passed on as they are
 * @param teacher which one of the pool, from 0 on
 * @param span when the teacher computed it, on its own clock
 */
// The array is handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record TeacherAnswer(
    MicroBatchKey key, int teacher, float[] logits, List<Tensor> features, Span span) {}
