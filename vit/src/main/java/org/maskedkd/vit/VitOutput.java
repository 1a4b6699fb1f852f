package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass gives; the arrays belong to the scope that was open when it ran.
 *
 * @param logits float32 {@code [batch, classes]}: the head's, or the mean of both heads of a
 *     distilled model
 * @param classLogits float32 {@code [batch, classes]}: those of {@code head} on the class token
 * @param distillationLogits float32 {@code [batch, classes]}: those of {@code head_dist} on the
 *     distillation token; null unless the model is distilled
 * @param attention float32 {@code [batch, heads, tokens]}: what {@link AttentionRow} asked for,
 *     over all tokens, {@link VitConfig#attentionPrefix} others first, without a gradient; null
 *     unless asked for
 * @param features what {@link FeatureLayers} asked for; empty unless asked for
 */
public record VitOutput(
    NDArray logits,
    NDArray classLogits,
    @Nullable NDArray distillationLogits,
    @Nullable NDArray attention,
    Features features) {}
