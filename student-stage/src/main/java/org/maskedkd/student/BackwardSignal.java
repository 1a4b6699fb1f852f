package org.maskedkd.student;

import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.TensorFrames.NamedTensor;

/**
 * What a micro-batch's backward starts from, checked.
 *
 * @param logitsGradient float32 {@code [samples, classes]}; with separate heads the class head's
 * @param distillationGradient the same of the distillation head; null unless heads are separate
 * @param tokens float32 {@code [blocks, samples, kept, width]} of the teacher; null unless compared
 * @param attention float32 {@code [blocks, samples, kept]} of the teacher; null unless compared
 * @param kept {@code [samples, kept]}, the places of the patches that the teacher saw; empty where
 *     nothing is compared
 */
// The array is handed on, never compared.
@SuppressWarnings("ArrayRecordComponent")
record BackwardSignal(
    NamedTensor logitsGradient,
    @Nullable NamedTensor distillationGradient,
    @Nullable NamedTensor tokens,
    @Nullable NamedTensor attention,
    int[] kept,
    FeatureLoss.Place place) {}
