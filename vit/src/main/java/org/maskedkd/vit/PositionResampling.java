package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/**
 * Position embeddings of one grid moved to another: rows of prefix tokens stay, those of patches
 * are interpolated as an image of {@code width} channels, bicubic (a = -0.75, half-pixel centres,
 * nothing smoothed), as DeiT's fine-tuning does.
 */
record PositionResampling(
    int prefix, int fromRows, int fromColumns, int toRows, int toColumns, int width) {

  static @Nullable PositionResampling between(long[] found, NamedTensors file, ModelConfig model) {
    if (!(model instanceof VitConfig config)) {
      return null;
    }
    int prefix = config.posCoversPrefix() ? config.prefixTokens() : 0;
    if (found.length != 3 || found[0] != 1 || found[2] != config.width()) {
      return null;
    }
    long patches = found[1] - prefix;
    // A file of ours says what its grid was; of any other, a square one is the only guess.
    ModelConfig described = file.described().orElse(null);
    long rows =
        described != null
            ? described.gridRows()
            : Math.round(Math.sqrt((double) Math.max(0, patches)));
    long columns = described != null ? described.gridColumns() : rows;
    if (patches < 1 || rows * columns != patches) {
      return null;
    }
    return new PositionResampling(
        prefix, (int) rows, (int) columns, config.gridRows(), config.gridColumns(), config.width());
  }

  String notice(Path path) {
    return "position embeddings of %s resampled from a grid of %dx%d to %dx%d"
        .formatted(path, fromRows, fromColumns, toRows, toColumns);
  }

  float[] apply(float[] rows) {
    float[] prefixRows = Arrays.copyOf(rows, prefix * width);
    float[] patchRows = Arrays.copyOfRange(rows, prefix * width, rows.length);
    try (Scope scope = Scope.open();
        GradMode off = GradMode.off()) {
      NDArray grid =
          Tensors.of(scope.manager(), patchRows, 1, fromRows, fromColumns, width)
              .transpose(0, 3, 1, 2);
      NDArray moved = Ops.resizeBicubic(grid, toRows, toColumns).transpose(0, 2, 3, 1);
      float[] movedRows = Tensors.floats(moved);
      float[] all = Arrays.copyOf(prefixRows, prefixRows.length + movedRows.length);
      System.arraycopy(movedRows, 0, all, prefixRows.length, movedRows.length);
      return all;
    }
  }
}
