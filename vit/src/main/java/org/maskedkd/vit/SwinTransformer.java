package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.VisionTransformer.Mode;

/**
 * A Swin transformer: embed, stages of blocks with windows, norm, mean over the tokens, head. It
 * takes whole images alone, for a window needs all of its tokens.
 *
 * <p>With {@link Precision#BF16} the tokens are bfloat16 from the embedding's end to the last
 * block's; the embedding, attention within windows, the last norm and the head stay float32.
 */
public final class SwinTransformer implements ImageModel {

  private static final Pattern BLOCK = Pattern.compile("layers\\.(\\d+)\\.blocks\\.(\\d+)\\..*");
  private static final Pattern MERGING = Pattern.compile("layers\\.(\\d+)\\.downsample\\..*");

  private final SwinConfig config;
  private final Precision precision;
  private final Mode mode;
  private final List<String> notices;
  private final ModelWeights weights;
  private final NDManager constants = Torch.manager().newSubManager();
  private final List<SwinBlock> blocks = new ArrayList<>();

  private SwinTransformer(
      SwinConfig config,
      ModelWeights weights,
      List<String> notices,
      Precision precision,
      Mode mode) {
    this.config = config;
    this.weights = weights;
    this.notices = notices;
    this.precision = precision;
    this.mode = mode;
    for (int stage = 0; stage < config.stages(); stage++) {
      for (int i = 0; i < config.depths().get(stage); i++) {
        blocks.add(new SwinBlock(weights.arrays(), stage, i, config, constants));
      }
    }
  }

  private static SwinTransformer of(
      SwinConfig config,
      ParameterSource source,
      List<String> notices,
      Precision precision,
      Mode mode) {
    return new SwinTransformer(
        config, new ModelWeights(config, source, mode::trains), notices, precision, mode);
  }

  /** As {@link ImageModel#initialised}. */
  public static SwinTransformer initialised(
      SwinConfig config, long seed, Precision precision, Mode mode) {
    return of(config, new Initialiser(config, seed), List.of(), precision, mode);
  }

  /** As {@link ImageModel#load}. */
  public static SwinTransformer load(SwinConfig config, Path path, Precision precision, Mode mode) {
    try (Weights weights = Weights.strict(config, path)) {
      return of(config, weights, weights.notices(), precision, mode);
    }
  }

  /** As {@link ImageModel#adapted}. */
  public static SwinTransformer adapted(
      SwinConfig config, Path path, long seed, Precision precision, Mode mode) {
    try (Weights weights = Weights.adapt(config, path, seed)) {
      return of(config, weights, weights.notices(), precision, mode);
    }
  }

  @Override
  public SwinConfig config() {
    return config;
  }

  @Override
  public Precision precision() {
    return precision;
  }

  @Override
  public List<String> notices() {
    return notices;
  }

  @Override
  public Map<String, NDArray> parameters() {
    return weights.arrays();
  }

  @Override
  public Map<String, NDArray> trained() {
    return weights.trained();
  }

  /** Nor on the tables of relative places. */
  @Override
  public boolean decays(String name) {
    return weights.named(name).getShape().dimension() > 1 && !name.endsWith(SwinShapes.TABLE);
  }

  /** Of a stage's merging: that of the stage's first block. */
  @Override
  public int layer(String name) {
    if (name.startsWith("patch_embed.")) {
      return 0;
    }
    Matcher block = BLOCK.matcher(name);
    if (block.matches()) {
      return 1 + before(block.group(1)) + Integer.parseInt(block.group(2));
    }
    Matcher merging = MERGING.matcher(name);
    return merging.matches() ? 1 + before(merging.group(1)) : layers();
  }

  private int before(String stage) {
    return config.depths().stream()
        .limit(Integer.parseInt(stage))
        .mapToInt(Integer::intValue)
        .sum();
  }

  @Override
  public VitOutput forward(
      NDArray patches,
      @Nullable NDArray kept,
      float @Nullable [][] dropPath,
      @Nullable AttentionRow wanted,
      FeatureLayers features) {
    if (kept != null) {
      throw new IllegalArgumentException(
          "%s takes whole images: its windows need every patch".formatted(config.canonical()));
    }
    if (!features.isNone()) {
      throw new IllegalArgumentException(
          "%s has no blocks with a token for each patch".formatted(config.canonical()));
    }
    InputChecks.forward(config, patches, null, dropPath);
    if (wanted != null) {
      wanted.requireIn(config);
    }
    if (mode == Mode.TRAINABLE) {
      return output(trunk(patches, dropPath, wanted != null));
    }
    Trunk trunk;
    try (GradMode off = GradMode.off()) {
      trunk = trunk(patches, dropPath, wanted != null);
      if (mode == Mode.FROZEN) {
        return output(trunk);
      }
    }
    return output(trunk);
  }

  /**
   * What the head reads.
   *
   * @param tokens [b, n, d] of the last stage
   */
  private record Trunk(NDArray tokens, @Nullable NDArray attention) {}

  private Trunk trunk(NDArray patches, float @Nullable [][] dropPath, boolean asked) {
    NDArray attention = null;
    NDArray x = embed(patches);
    for (int i = 0; i < blocks.size(); i++) {
      SwinBlock block = blocks.get(i);
      NDArray entered = x;
      // Of no scope, since the one that it was made in is closed.
      try (entered) {
        if (asked && i == blocks.size() - 1) {
          // No scope, which would end the attention with the rest.
          NDArray tokens = block.enter(x);
          NDArray qkv = block.qkv(tokens);
          attention = block.received(qkv);
          x = block.attend(tokens, qkv, VisionTransformer.scale(dropPath, 2 * i, x));
          x = block.mlp(x, VisionTransformer.scale(dropPath, 2 * i + 1, x));
        } else {
          // Closing a block's intermediates at once is what bounds memory; a recorded graph holds
          // on to what it needs.
          try (Scope scope = Scope.open()) {
            NDArray tokens = block.enter(x);
            x =
                block.attend(
                    tokens, block.qkv(tokens), VisionTransformer.scale(dropPath, 2 * i, x));
            x = scope.keep(block.mlp(x, VisionTransformer.scale(dropPath, 2 * i + 1, x)));
          }
        }
      }
    }
    return new Trunk(x, attention);
  }

  private NDArray embed(NDArray patches) {
    NDArray projection =
        weight("patch_embed.proj.weight").reshape(config.width(), config.patchValues());
    NDArray tokens = Ops.linear(patches, projection, weight("patch_embed.proj.bias"));
    return Ops.cast(norm("patch_embed.norm", tokens), precision);
  }

  private VitOutput output(Trunk trunk) {
    try (NDArray x = trunk.tokens()) {
      NDArray mean = Ops.meanOfTokens(norm("norm", Ops.cast(x, Precision.FP32)), 0);
      NDArray logits = Ops.linear(mean, weight("head.fc.weight"), weight("head.fc.bias"));
      return new VitOutput(logits, logits, null, trunk.attention(), Features.NONE);
    }
  }

  private NDArray norm(String name, NDArray x) {
    return Ops.layerNorm(x, weight(name + ".weight"), weight(name + ".bias"), config.eps());
  }

  private NDArray weight(String name) {
    return weights.named(name);
  }

  @Override
  public void restore(Path path) {
    weights.restore(path);
  }

  @Override
  public void save(
      Path path, SafetensorsType type, Map<String, String> metadata, List<NDArray> values)
      throws IOException {
    weights.save(path, type, metadata, values);
  }

  @Override
  public String digest() {
    return weights.digest();
  }

  @Override
  public void close() {
    constants.close();
    weights.close();
  }
}
