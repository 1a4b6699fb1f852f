package org.maskedkd.vit;

import java.util.List;

/**
 * The architecture of a vision transformer with one width throughout: ViT, DeiT, DeiT-III, CaiT,
 * MAE, CLIP's image tower, DINO. {@link #canonical()} writes it as one line that {@link
 * ModelZoo#parse} reads back to an equal config.
 *
 * @param imageHeight input height in pixels, a multiple of {@code patch}
 * @param imageWidth input width in pixels, a multiple of {@code patch}
 * @param patch side of a square patch in pixels
 * @param channels input channels
 * @param width features of a token, a multiple of {@code heads}
 * @param depth number of blocks
 * @param heads attention heads of each block
 * @param mlpWidth hidden features of each block's MLP
 * @param classes outputs of the head
 * @param traits what distinguishes its family
 * @param eps epsilon of every layer norm
 * @param mean what the input is centred with, per channel, for pixels scaled to 0..1
 * @param std what the input is divided by, per channel
 */
public record VitConfig(
    int imageHeight,
    int imageWidth,
    int patch,
    int channels,
    int width,
    int depth,
    int heads,
    int mlpWidth,
    int classes,
    VitTraits traits,
    double eps,
    List<Double> mean,
    List<Double> std)
    implements ModelConfig {

  private static final int MOST_PIXELS = 4096;
  private static final int MOST_PATCHES = 1 << 16;
  private static final int MOST_CHANNELS = 64;
  private static final int MOST_WIDTH = 1 << 16;
  private static final int MOST_BLOCKS = 1000;
  private static final int MOST_CLASSES = 1 << 20;

  /** Checks that the numbers fit each other. */
  public VitConfig {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    ranged("image height", imageHeight, MOST_PIXELS);
    ranged("image width", imageWidth, MOST_PIXELS);
    ranged("patch", patch, MOST_PIXELS);
    ranged("channels", channels, MOST_CHANNELS);
    ranged("width", width, MOST_WIDTH);
    ranged("depth", depth, MOST_BLOCKS);
    ranged("heads", heads, MOST_WIDTH);
    ranged("mlp", mlpWidth, 4 * MOST_WIDTH);
    ranged("classes", classes, MOST_CLASSES);
    check(
        imageHeight % patch == 0 && imageWidth % patch == 0,
        "image %dx%d is not a multiple of patch %d",
        imageHeight,
        imageWidth,
        patch);
    check(
        (long) (imageHeight / patch) * (imageWidth / patch) <= MOST_PATCHES,
        "image %dx%d has more than %d patches of %d pixels",
        imageHeight,
        imageWidth,
        MOST_PATCHES,
        patch);
    check(width % heads == 0, "width %d is not a multiple of heads %d", width, heads);
    check(eps > 0 && eps < 1, "eps %s is not between 0 and 1", eps);
    check(
        mean.size() == channels && std.size() == channels,
        "%d values of mean and %d of std do not match %d channels",
        mean.size(),
        std.size(),
        channels);
    for (int i = 0; i < channels; i++) {
      check(Double.isFinite(mean.get(i)), "mean %s is not finite", mean.get(i));
      check(std.get(i) > 0 && Double.isFinite(std.get(i)), "std %s is not positive", std.get(i));
    }
  }

  /** Rows of the patch grid. */
  @Override
  public int gridRows() {
    return imageHeight / patch;
  }

  /** Columns of the patch grid. */
  @Override
  public int gridColumns() {
    return imageWidth / patch;
  }

  /** Whether a distillation token and its own head stand beside the class token. */
  public boolean distilled() {
    return traits.distilled();
  }

  /** Whether both branches of a block end in a learned scale per feature. */
  public boolean layerScale() {
    return traits.layerScale();
  }

  /** Whether the position embedding has rows for the prefix tokens or for patches only. */
  public boolean posCoversPrefix() {
    return traits.posCoversPrefix();
  }

  /** Whether the class token enters after the blocks, in layers of its own. */
  public boolean attendsByClass() {
    return traits.classBlocks() > 0;
  }

  /**
   * Tokens before the patches in every block: the class token, then the distillation token if there
   * is one; none where the class token enters later.
   */
  public int prefixTokens() {
    return attendsByClass() ? 0 : attentionPrefix();
  }

  /** Tokens before the patches in a row of {@link VitOutput#attention}. */
  @Override
  public int attentionPrefix() {
    return distilled() ? 2 : 1;
  }

  /** Outputs of the head: classes, or features to compare with those of the classes' names. */
  public int headWidth() {
    return traits.textWidth() > 0 ? traits.textWidth() : classes;
  }

  /** Tokens of a block that sees the whole image. */
  public int tokens() {
    return prefixTokens() + patches();
  }

  @Override
  public VitConfig withClasses(int newClasses) {
    return new VitConfig(
        imageHeight,
        imageWidth,
        patch,
        channels,
        width,
        depth,
        heads,
        mlpWidth,
        newClasses,
        traits,
        eps,
        mean,
        std);
  }

  /** The same model for images of another size. */
  public VitConfig withImage(int height, int newWidth) {
    return new VitConfig(
        height, newWidth, patch, channels, width, depth, heads, mlpWidth, classes, traits, eps,
        mean, std);
  }

  @Override
  public VitConfig withStatistics(List<Double> newMean, List<Double> newStd) {
    return new VitConfig(
        imageHeight,
        imageWidth,
        patch,
        channels,
        width,
        depth,
        heads,
        mlpWidth,
        classes,
        traits,
        eps,
        newMean,
        newStd);
  }

  @Override
  public VitConfig withWantedStatistics(List<Double> wantedMean, List<Double> wantedStd) {
    return (VitConfig) ModelConfig.super.withWantedStatistics(wantedMean, wantedStd);
  }

  @Override
  public String canonical() {
    return ModelZoo.write(this);
  }

  private static void ranged(String what, int value, int most) {
    check(value > 0, "%s %d is not positive", what, value);
    check(value <= most, "%s %d is more than %d", what, value, most);
  }

  private static void check(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }
}
