package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;

/**
 * A model of images that can be trained and says which places it looks at: what a student is,
 * whatever its architecture.
 *
 * <p>Parameters have timm's names and are float32, in memory that the engine allocated and the
 * model owns until {@link #close}. One thread at a time.
 */
public sealed interface ImageModel extends AutoCloseable
    permits VisionTransformer, SwinTransformer {

  /** A model with random weights: the same for the same config and seed. */
  static ImageModel initialised(
      ModelConfig config, long seed, Precision precision, VisionTransformer.Mode mode) {
    return config instanceof SwinConfig swin
        ? SwinTransformer.initialised(swin, seed, precision, mode)
        : VisionTransformer.initialised((VitConfig) config, seed, precision, mode);
  }

  /**
   * A model with the weights of a file.
   *
   * @throws WeightsException if the file is unsound or its tensors are not exactly the model's; all
   *     differences are listed
   */
  static ImageModel load(
      ModelConfig config, Path path, Precision precision, VisionTransformer.Mode mode) {
    return config instanceof SwinConfig swin
        ? SwinTransformer.load(swin, path, precision, mode)
        : VisionTransformer.load((VitConfig) config, path, precision, mode);
  }

  /**
   * A model that starts from a file for other classes or another grid, as {@link Weights#adapt}
   * says; {@link #notices} tells what was changed.
   */
  static ImageModel adapted(
      ModelConfig config, Path path, long seed, Precision precision, VisionTransformer.Mode mode) {
    return config instanceof SwinConfig swin
        ? SwinTransformer.adapted(swin, path, seed, precision, mode)
        : VisionTransformer.adapted((VitConfig) config, path, seed, precision, mode);
  }

  ModelConfig config();

  Precision precision();

  /** What a person should read about how the weights were loaded. */
  List<String> notices();

  /** The parameters under timm's names, in a fixed order; they stay this object's. */
  Map<String, NDArray> parameters();

  /** Those of them that take gradients, in the same order. */
  Map<String, NDArray> trained();

  /** Numbers in all parameters together. */
  default long parameterCount() {
    return parameters().values().stream().mapToLong(NDArray::size).sum();
  }

  /**
   * Whether weight decay acts on a parameter: not on biases, norms and scales, tokens and position
   * embeddings.
   */
  boolean decays(String name);

  /**
   * How far a parameter is from the input: 0 for what makes the tokens, i + 1 for block i, {@link
   * #layers} for all that follows the blocks.
   */
  int layer(String name);

  /** Of what follows the blocks, see {@link #layer}. */
  default int layers() {
    return config().depth() + 1;
  }

  /**
   * The forward pass. Run it inside an open {@link Scope}, which then owns the outputs.
   *
   * @param patches normalised float32 {@code [batch, n, channels * patch * patch]}
   * @param kept int64 {@code [batch, n]}: each patch's place in the grid; null if all patches are
   *     there, in order
   * @param dropPath {@link DropPath#scales} of these samples, or null
   * @param wanted the attention to be computed beside, null for none
   * @param features what of inner blocks is wanted beside
   * @throws IllegalArgumentException if the shapes do not fit the model or each other, or it cannot
   *     leave patches out
   */
  VitOutput forward(
      NDArray patches,
      @Nullable NDArray kept,
      float @Nullable [][] dropPath,
      @Nullable AttentionRow wanted,
      FeatureLayers features);

  /** As {@link #forward(NDArray, NDArray, float[][], AttentionRow, FeatureLayers)} without any. */
  default VitOutput forward(
      NDArray patches,
      @Nullable NDArray kept,
      float @Nullable [][] dropPath,
      @Nullable AttentionRow wanted) {
    return forward(patches, kept, dropPath, wanted, FeatureLayers.NONE);
  }

  /**
   * Replaces all parameters' values by those of a file, in place, so that optimizers and averages
   * stay attached.
   *
   * @throws WeightsException as {@link #load}; nothing has changed then
   */
  void restore(Path path);

  /**
   * Writes the parameters, loadable here and by timm. The metadata also gets {@code model}, the
   * config's canonical form.
   *
   * @param type F32 (exact), F16 or BF16 (rounded)
   * @throws IOException if the file cannot be written; what stood there before still does
   */
  default void save(Path path, SafetensorsType type, Map<String, String> metadata)
      throws IOException {
    save(path, type, metadata, List.copyOf(parameters().values()));
  }

  /**
   * Writes other values under the parameters' names, such as their running averages.
   *
   * @param values float32, in the order and of the shapes of {@link #parameters}
   * @throws IOException as {@link #save(Path, SafetensorsType, Map)}
   */
  void save(Path path, SafetensorsType type, Map<String, String> metadata, List<NDArray> values)
      throws IOException;

  /** SHA-256 over every parameter's name, shape and float32 bytes, in hexadecimal. */
  String digest();

  @Override
  void close();
}
