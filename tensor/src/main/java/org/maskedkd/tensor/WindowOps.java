package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * What a transformer with windows (Swin) needs beyond {@link Ops}, under the same terms. Grids are
 * square, [b, side², d], row by row.
 */
public final class WindowOps {

  private WindowOps() {}

  /**
   * Cuts a grid into windows.
   *
   * @param shift rows and columns that the grid is turned up and left by before, the first ones
   *     coming in again at the end
   * @return [b·windows, window², d]: image by image, windows row by row
   * @throws IllegalArgumentException if {@code x} is no such grid, or windows do not fill it
   */
  public static NDArray windows(NDArray x, int side, int window, int shift) {
    Shape shape = x.getShape();
    if (shape.dimension() != 3
        || window < 1
        || side % window != 0
        || shape.get(1) != (long) side * side) {
      throw new IllegalArgumentException(
          "tokens %s are no grid of %dx%d that windows of %d fill; expected [batch, %d, width]"
              .formatted(shape, side, side, window, (long) side * side));
    }
    return Script.call("windows", x, side, window, shift);
  }

  /** The reverse of {@link #windows}. */
  public static NDArray fromWindows(NDArray x, int side, int window, int shift) {
    return Script.call("from_windows", x, side, window, shift);
  }

  /**
   * {@code softmax(q·kᵀ/√d + bias + mask)·v} within each window, in float32 whatever the input.
   *
   * @param qkv [b·windows, n, 3d] as for {@link Ops#selfAttention}
   * @param table float32 [rows, heads]: the bias of each pair of relative places
   * @param places int64 [n·n]: the table's row of query i and key j at i·n + j
   * @param mask float32 [windows, n, n], or [1, n, n] for none, which is not read
   * @return [b·windows, n, d] in the format of {@code qkv}
   */
  public static NDArray attention(
      NDArray qkv, int heads, NDArray table, NDArray places, NDArray mask) {
    return Script.call("window_attention", qkv, heads, table, places, mask);
  }

  /**
   * How much each token is attended to within its window, mean over its queries; not
   * differentiable.
   *
   * @return float32 [b·windows, n, heads]
   */
  public static NDArray attentionReceived(
      NDArray qkv, int heads, NDArray table, NDArray places, NDArray mask) {
    return Script.call("window_attention_received", qkv, heads, table, places, mask);
  }

  /**
   * Puts the features of each square of four tokens after each other: upper left, lower left, upper
   * right, lower right.
   *
   * @param x [b, side², d] with an even side
   * @return [b, side²/4, 4d]
   */
  public static NDArray mergeNeighbours(NDArray x, int side) {
    return Script.call("merge_neighbours", x, side);
  }
}
