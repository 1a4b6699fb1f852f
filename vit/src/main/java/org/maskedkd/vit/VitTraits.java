package org.maskedkd.vit;

/**
 * What distinguishes one family of vision transformers from the others.
 *
 * @param distilled whether a distillation token and its own head stand beside the class token
 *     (distilled DeiT)
 * @param layerScale whether both branches of a block end in a learned scale per feature (DeiT-III,
 *     CaiT)
 * @param posCoversPrefix whether the position embedding has rows for the prefix tokens (DeiT) or
 *     for patches only (DeiT-III, CaiT)
 * @param pooling what the head reads
 * @param activation between the two layers of an MLP
 * @param preNorm whether a layer norm stands before the first block, and the patch projection has
 *     no bias (CLIP)
 * @param classBlocks layers of class attention after the blocks: the class token enters there, and
 *     the blocks' heads are mixed before and after the softmax (CaiT); 0 for none
 * @param textWidth features of the embeddings of the classes' names, which the head's output is
 *     compared with (CLIP); 0 for a head that gives the classes themselves
 */
public record VitTraits(
    boolean distilled,
    boolean layerScale,
    boolean posCoversPrefix,
    Pooling pooling,
    Activation activation,
    boolean preNorm,
    int classBlocks,
    int textWidth) {

  /** What the head reads. */
  public enum Pooling {
    /** The class token after the last norm. */
    CLASS,
    /** The mean of the patches' tokens, normed then (fine-tuned MAE): of the kept ones. */
    MEAN
  }

  /** Between the two layers of an MLP. */
  public enum Activation {
    /** {@code x/2·(1 + erf(x/√2))}. */
    GELU,
    /** {@code x·σ(1.702x)} (CLIP). */
    QUICK_GELU
  }

  /** Checks that they fit each other. */
  public VitTraits {
    require(classBlocks >= 0 && classBlocks <= 100, "class-blocks " + classBlocks);
    require(textWidth >= 0 && textWidth <= 1 << 16, "text-width " + textWidth);
    require(
        !(distilled && pooling == Pooling.MEAN),
        "distilled=true has two tokens for its heads, and pool=mean reads none");
    require(
        classBlocks == 0
            || !distilled && !posCoversPrefix && pooling == Pooling.CLASS && layerScale && !preNorm,
        "class-blocks="
            + classBlocks
            + " (CaiT) goes with layer-scale=true, pos-covers-prefix=false, distilled=false,"
            + " pool=class and pre-norm=false");
    require(textWidth == 0 || !distilled, "text-width=" + textWidth + " goes with distilled=false");
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  /** Those of ViT and DeiT. */
  public static VitTraits plain() {
    return new VitTraits(false, false, true, Pooling.CLASS, Activation.GELU, false, 0, 0);
  }
}
