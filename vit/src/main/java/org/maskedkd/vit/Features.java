package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.util.List;

/**
 * What {@link FeatureLayers} asked for, in its order; with gradients where the model's forward has
 * them. The arrays belong to the scope that was open when it ran.
 *
 * @param tokens float32 {@code [batch, patches, width]} each: the prefix tokens are left out
 * @param attention float32 {@code [batch, patches]} each: the class token's row, mean over heads,
 *     the columns of prefix tokens left out and the rest as it is, so that it adds up to less than
 *     1
 */
public record Features(List<NDArray> tokens, List<NDArray> attention) {

  /** Of a forward that was asked for none. */
  static final Features NONE = new Features(List.of(), List.of());

  /** Copies both. */
  public Features {
    tokens = List.copyOf(tokens);
    attention = List.copyOf(attention);
  }
}
