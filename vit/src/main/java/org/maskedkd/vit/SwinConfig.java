package org.maskedkd.vit;

import java.util.List;

/**
 * The architecture of a Swin transformer: stages of blocks that attend within windows; between two
 * stages the grid's sides halve and the width doubles. MLPs are four times as wide as their block.
 *
 * @param image side of the square input in pixels
 * @param patch side of a square patch in pixels
 * @param channels input channels
 * @param width features of a token in the first stage
 * @param depths blocks of each stage
 * @param heads attention heads of a block of each stage
 * @param window side of a window in tokens; a stage whose grid is smaller has one window
 * @param classes outputs of the head
 * @param eps epsilon of every layer norm
 * @param mean what the input is centred with, per channel, for pixels scaled to 0..1
 * @param std what the input is divided by, per channel
 */
public record SwinConfig(
    int image,
    int patch,
    int channels,
    int width,
    List<Integer> depths,
    List<Integer> heads,
    int window,
    int classes,
    double eps,
    List<Double> mean,
    List<Double> std)
    implements ModelConfig {

  /** Features of an MLP between its layers, for each of its block's. */
  static final int MLP_RATIO = 4;

  static final int MOST_STAGES = 8;
  private static final int MOST_BLOCKS = 1000;

  /** Tables and scores of a window grow with the fourth power of its side. */
  private static final int MOST_WINDOW = 32;

  /** Checks that the numbers fit each other. */
  public SwinConfig {
    depths = List.copyOf(depths);
    heads = List.copyOf(heads);
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    check(
        !depths.isEmpty() && depths.size() == heads.size() && depths.size() <= MOST_STAGES,
        "%d depths and %d heads are not one of each for 1 to %d stages",
        depths.size(),
        heads.size(),
        MOST_STAGES);
    check(
        depths.stream().allMatch(blocks -> blocks >= 1 && blocks <= MOST_BLOCKS),
        "depths %s are not between 1 and %d",
        depths,
        MOST_BLOCKS);
    check(window >= 1 && window <= MOST_WINDOW, "window %d is not 1 to %d", window, MOST_WINDOW);
    check(patch >= 1, "patch %d is not positive", patch);
    // A stage's numbers are those of a plain transformer, and what they must be is said there.
    for (int stage = 0; stage < depths.size(); stage++) {
      check(
          image % (patch << stage) == 0, "image %d is not a multiple of %s", image, patch << stage);
      new VitConfig(
          image,
          image,
          patch << stage,
          channels,
          width << stage,
          depths.get(stage),
          heads.get(stage),
          MLP_RATIO * (width << stage),
          classes,
          VitTraits.plain(),
          eps,
          mean,
          std);
      int side = image / (patch << stage);
      check(
          side % Math.min(side, window) == 0,
          "stage %d has %dx%d tokens, which windows of %d do not fill",
          stage,
          side,
          side,
          window);
    }
  }

  int stages() {
    return depths.size();
  }

  /** Tokens along a side of a stage's grid. */
  int side(int stage) {
    return image / (patch << stage);
  }

  /** Features of a token of a stage. */
  int width(int stage) {
    return width << stage;
  }

  /** Side of a stage's windows in tokens. */
  int window(int stage) {
    return Math.min(window, side(stage));
  }

  /** By how many tokens a block's windows are shifted: every second block's by half a window. */
  int shift(int stage, int block) {
    return block % 2 == 1 && window(stage) < side(stage) ? window / 2 : 0;
  }

  @Override
  public int imageHeight() {
    return image;
  }

  @Override
  public int imageWidth() {
    return image;
  }

  @Override
  public int depth() {
    return depths.stream().mapToInt(Integer::intValue).sum();
  }

  /** Of the last stage. */
  @Override
  public int gridRows() {
    return side(stages() - 1);
  }

  /** Of the last stage. */
  @Override
  public int gridColumns() {
    return gridRows();
  }

  /** None: there is no class token. */
  @Override
  public int attentionPrefix() {
    return 0;
  }

  @Override
  public SwinConfig withClasses(int newClasses) {
    return new SwinConfig(
        image, patch, channels, width, depths, heads, window, newClasses, eps, mean, std);
  }

  @Override
  public SwinConfig withStatistics(List<Double> newMean, List<Double> newStd) {
    return new SwinConfig(
        image, patch, channels, width, depths, heads, window, classes, eps, newMean, newStd);
  }

  @Override
  public String canonical() {
    return SwinZoo.write(this);
  }

  private static void check(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }
}
