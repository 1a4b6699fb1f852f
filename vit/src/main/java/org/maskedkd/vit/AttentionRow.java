package org.maskedkd.vit;

/**
 * Which attention is asked for beside a forward pass. A Swin transformer has no class token: its
 * attention is what each place of the last block receives, mean over the queries, whatever {@code
 * from} says.
 *
 * @param from whose view
 * @param layer the block, from 0 on; negative ones count from the end, so that -1 is the last.
 *     Where the class token enters after the blocks (CaiT), layers are those of class attention
 */
public record AttentionRow(From from, int layer) {

  /** Whose view. */
  public enum From {
    /** The class token's row. */
    CLASS,
    /** The mean of all patches' rows. */
    PATCHES
  }

  /** The class token's view in the last block, as the paper has it. */
  public static final AttentionRow LAST_CLASS = new AttentionRow(From.CLASS, -1);

  /**
   * The layer, from 0 on, of a model.
   *
   * @throws IllegalArgumentException if the model has no such attention
   */
  int in(VitConfig config) {
    int layers = config.attendsByClass() ? config.traits().classBlocks() : config.depth();
    if (layer < -layers || layer >= layers) {
      throw new IllegalArgumentException(
          "there is no layer %d of attention in %d: expected %d to %d"
              .formatted(layer, layers, -layers, layers - 1));
    }
    if (from == From.PATCHES && config.attendsByClass()) {
      throw new IllegalArgumentException(
          "the patches' attention to each other is asked for, but in a model with class-blocks it is"
              + " mixed among the heads; expected the class token's");
    }
    return Math.floorMod(layer, layers);
  }

  /**
   * Checks that a model has this attention.
   *
   * @throws IllegalArgumentException if it has not
   */
  public void requireIn(ModelConfig config) {
    if (config instanceof SwinConfig) {
      if (layer != -1 && layer != config.depth() - 1) {
        throw new IllegalArgumentException(
            "the attention of layer %d is asked for; of a Swin transformer it is that of the last, -1 or %d: in those before each place is seen from its own window alone"
                .formatted(layer, config.depth() - 1));
      }
    } else {
      in((VitConfig) config);
    }
  }
}
