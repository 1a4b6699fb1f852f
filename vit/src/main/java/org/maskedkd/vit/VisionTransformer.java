package org.maskedkd.vit;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.MergeOps;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/**
 * A vision transformer (ViT, DeiT, DeiT-III, CaiT, MAE, CLIP's image tower) that embeds only the
 * patches it is given: embed, blocks, norm, head.
 *
 * <p>Parameters have timm's names and are float32, in memory that the engine allocated and this
 * object owns until {@link #close}. With {@link Precision#BF16} the tokens are bfloat16 from the
 * embedding's end to the last block's, while the embedding, the head and the class attention stay
 * float32. One thread at a time.
 */
public final class VisionTransformer implements ImageModel {

  /** What the model is for. */
  public enum Mode {
    /**
     * Its parameters take gradients; the caller's {@link GradMode} decides whether a forward pass
     * is recorded.
     */
    TRAINABLE,
    /**
     * Only its heads take gradients: a classifier on frozen features (a linear probe). Everything
     * before them is computed as in a frozen model, and no activations are kept.
     */
    TRAINABLE_HEAD,
    /** Evaluation only: nothing is ever recorded. */
    FROZEN;

    boolean trains(String parameter) {
      return switch (this) {
        case TRAINABLE -> true;
        case TRAINABLE_HEAD -> ParameterShapes.isHead(parameter);
        case FROZEN -> false;
      };
    }
  }

  private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+)\\..*");

  private final VitConfig config;
  private final Precision precision;
  private final Mode mode;
  private final List<String> notices;
  private final ModelWeights weights;
  private final List<VitBlock> blocks = new ArrayList<>();
  private final List<ClassBlock> classBlocks = new ArrayList<>();

  private VisionTransformer(
      VitConfig config,
      ParameterSource source,
      List<String> notices,
      Precision precision,
      Mode mode) {
    this.config = config;
    this.precision = precision;
    this.mode = mode;
    this.notices = notices;
    weights = new ModelWeights(config, source, mode::trains);
    for (int i = 0; i < config.traits().classBlocks(); i++) {
      classBlocks.add(new ClassBlock(weights.arrays(), i, config));
    }
    makeBlocks();
  }

  private void makeBlocks() {
    blocks.forEach(VitBlock::close);
    blocks.clear();
    for (int i = 0; i < config.depth(); i++) {
      blocks.add(
          new VitBlock(weights.arrays(), i, config, mode == Mode.TRAINABLE ? null : precision));
    }
  }

  /** A model with random weights: the same for the same config and seed. */
  public static VisionTransformer initialised(
      VitConfig config, long seed, Precision precision, Mode mode) {
    return new VisionTransformer(config, new Initialiser(config, seed), List.of(), precision, mode);
  }

  /**
   * A model with the weights of a file.
   *
   * @throws WeightsException if the file is unsound or its tensors are not exactly the model's; all
   *     differences are listed
   */
  public static VisionTransformer load(
      VitConfig config, Path path, Precision precision, Mode mode) {
    try (Weights weights = Weights.strict(config, path)) {
      return new VisionTransformer(config, weights, weights.notices(), precision, mode);
    }
  }

  /**
   * A model that starts from a file for other classes or another grid, as {@link Weights#adapt}
   * says; {@link #notices} tells what was changed.
   */
  public static VisionTransformer adapted(
      VitConfig config, Path path, long seed, Precision precision, Mode mode) {
    try (Weights weights = Weights.adapt(config, path, seed)) {
      return new VisionTransformer(config, weights, weights.notices(), precision, mode);
    }
  }

  @Override
  public VitConfig config() {
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

  @Override
  public boolean decays(String name) {
    return weight(name).getShape().dimension() > 1
        && !name.endsWith("_token")
        && !name.equals("pos_embed");
  }

  @Override
  public int layer(String name) {
    Matcher block = BLOCK.matcher(name);
    if (block.matches()) {
      return Integer.parseInt(block.group(1)) + 1;
    }
    boolean first =
        name.startsWith("patch_embed.")
            || name.startsWith("norm_pre.")
            || name.equals("pos_embed")
            || (name.endsWith("_token") && !config.attendsByClass());
    return first ? 0 : layers();
  }

  /** The forward pass on whole images. */
  public VitOutput forward(NDArray patches) {
    return forward(patches, null, null, /* wanted= */ null);
  }

  /** The forward pass on the patches at {@code kept} places of the grid. */
  public VitOutput forward(NDArray patches, @Nullable NDArray kept) {
    return forward(patches, kept, null, /* wanted= */ null);
  }

  /**
   * The forward pass. Run it inside an open {@link Scope}, which then owns the outputs.
   *
   * @param patches normalised float32 {@code [batch, n, channels * patch * patch]}, only the kept
   *     ones
   * @param kept int64 {@code [batch, n]}: each patch's place in the grid; null if all patches are
   *     there, in order
   * @param dropPath {@link DropPath#scales} of these samples, or null
   * @param wanted the attention to be computed beside, null for none
   * @param features what of inner blocks is wanted beside
   * @throws IllegalArgumentException if the shapes do not fit the model or each other, or a place
   *     is outside the grid
   */
  @Override
  public VitOutput forward(
      NDArray patches,
      @Nullable NDArray kept,
      float @Nullable [][] dropPath,
      @Nullable AttentionRow wanted,
      FeatureLayers features) {
    InputChecks.forward(config, patches, kept, dropPath);
    features.requireIn(config);
    return switch (mode) {
      case TRAINABLE -> output(trunk(patches, kept, dropPath, wanted, features));
      case TRAINABLE_HEAD -> {
        Trunk trunk;
        try (GradMode off = GradMode.off()) {
          trunk = trunk(patches, kept, dropPath, wanted, features);
        }
        yield output(trunk);
      }
      case FROZEN -> {
        try (GradMode off = GradMode.off()) {
          yield output(trunk(patches, kept, dropPath, wanted, features));
        }
      }
    };
  }

  /**
   * The forward pass of a frozen model with its most similar tokens merged (ToMe). Run it as {@link
   * #forward(NDArray, NDArray, float[][], AttentionRow)}.
   *
   * @param kept as there; what is masked does not come in at all
   * @param perBlock tokens that each block merges, see {@link BlockTokens#merging}; with 0 the same
   *     bits as without merging
   * @throws IllegalArgumentException also if {@link TokenMerging#requireIn} does not hold
   * @throws IllegalStateException if the model is not frozen
   */
  public VitOutput forwardMerging(NDArray patches, @Nullable NDArray kept, int perBlock) {
    if (mode != Mode.FROZEN) {
      throw new IllegalStateException("tokens are merged in frozen models alone, found " + mode);
    }
    try (TokenMerging merging = new TokenMerging(config, perBlock)) {
      if (perBlock == 0) {
        return forward(patches, kept);
      }
      InputChecks.forward(config, patches, kept, null);
      try (GradMode off = GradMode.off()) {
        NDArray tokens = merging.through(blocks, embed(patches, kept));
        return output(new Trunk(tokens, merging.sizes(), null, Features.NONE));
      }
    }
  }

  /**
   * What the heads read.
   *
   * @param tokens [b, n, d]; of CaiT the class token alone
   * @param sizes [b, n, 1], of how many tokens each is made; null for one each
   */
  private record Trunk(
      NDArray tokens, @Nullable NDArray sizes, @Nullable NDArray attention, Features features) {}

  private Trunk trunk(
      NDArray patches,
      @Nullable NDArray kept,
      float @Nullable [][] dropPath,
      @Nullable AttentionRow wanted,
      FeatureLayers features) {
    int asked = wanted == null ? -1 : wanted.in(config);
    NDArray attention = null;
    List<NDArray> tokens = new ArrayList<>();
    List<NDArray> rows = new ArrayList<>();
    NDArray x = embed(patches, kept);
    for (int i = 0; i < config.depth(); i++) {
      VitBlock block = blocks.get(i);
      NDArray row = null;
      NDArray entered = x;
      // Of no scope, since the one that it was made in is closed. Closing a block's intermediates
      // at once is what bounds memory; a recorded graph holds on to what it needs.
      try (entered;
          Scope scope = Scope.open()) {
        NDArray qkv = block.qkv(x);
        if (i == asked && wanted != null && !config.attendsByClass()) {
          attention = scope.keep(attention(wanted, qkv));
        }
        if (features.attention().contains(i)) {
          row = scope.keep(Ops.classRow(qkv, config.heads(), config.prefixTokens()));
        }
        x = block.attend(x, qkv, scale(dropPath, 2 * i, x));
        x = scope.keep(block.mlp(x, scale(dropPath, 2 * i + 1, x)));
      }
      if (row != null) {
        rows.add(Scope.handOver(row));
      }
      if (features.tokens().contains(i)) {
        tokens.add(patchTokens(x));
      }
    }
    if (attention != null) {
      Scope.handOver(attention);
    }
    Features found = new Features(tokens, rows);
    return config.attendsByClass()
        ? byClass(x, asked, found)
        : new Trunk(x, null, attention, found);
  }

  private NDArray attention(AttentionRow wanted, NDArray qkv) {
    return switch (wanted.from()) {
      case CLASS -> Ops.classAttention(qkv, config.heads());
      case PATCHES -> Ops.patchAttention(qkv, config.heads(), config.prefixTokens());
    };
  }

  private NDArray patchTokens(NDArray x) {
    int count = (int) x.getShape().get(1);
    return Ops.cast(Ops.tokens(x, config.prefixTokens(), count), Precision.FP32);
  }

  /** The class token, which enters here. */
  private Trunk byClass(NDArray patches, int asked, Features features) {
    try (patches) {
      NDArray one = Ops.tokens(patches, 0, 1);
      NDArray token = Ops.cast(weight("cls_token"), precision).broadcast(one.getShape());
      NDArray attention = null;
      for (int i = 0; i < classBlocks.size(); i++) {
        if (i == asked) {
          attention = classBlocks.get(i).attention(token, patches);
        }
        token = classBlocks.get(i).apply(token, patches);
      }
      return new Trunk(token, null, attention, features);
    }
  }

  private VitOutput output(Trunk trunk) {
    try (NDArray x = trunk.tokens()) {
      NDArray classLogits = head("head", trunk, 0);
      if (!config.distilled()) {
        return new VitOutput(classLogits, classLogits, null, trunk.attention(), trunk.features());
      }
      NDArray distillationLogits = head("head_dist", trunk, 1);
      // Not mul(0.5f): DJL puts that number into a Java buffer, which a recorded graph would
      // outlive.
      NDArray half = Tensors.of(x.getManager(), new float[] {0.5f}, 1);
      NDArray mean = classLogits.add(distillationLogits).mul(half);
      return new VitOutput(
          mean, classLogits, distillationLogits, trunk.attention(), trunk.features());
    }
  }

  // A patch projection is a convolution without overlap, so it is a linear map of a flattened
  // patch.
  private NDArray embed(NDArray patches, @Nullable NDArray kept) {
    NDArray projection =
        weight("patch_embed.proj.weight").reshape(config.width(), config.patchValues());
    boolean preNorm = config.traits().preNorm();
    NDArray bias = preNorm ? null : weight("patch_embed.proj.bias");
    NDArray tokens = Ops.linear(patches, projection, bias);
    NDArray positions = weight("pos_embed");
    int covered = config.posCoversPrefix() ? config.prefixTokens() : 0;
    NDArray places = positions.get(":, {}:", covered);
    tokens = tokens.add(kept == null ? places : Ops.gatherTokens(places, kept));

    List<NDArray> prefix = new ArrayList<>();
    for (String name : List.of("cls_token", "dist_token").subList(0, config.prefixTokens())) {
      int place = prefix.size();
      NDArray token = weight(name);
      prefix.add(place < covered ? token.add(positions.get(":, {}:{}", place, place + 1)) : token);
    }
    tokens = prefix.isEmpty() ? tokens : Ops.withPrefix(prefix, tokens);
    if (preNorm) {
      tokens =
          Ops.layerNorm(tokens, weight("norm_pre.weight"), weight("norm_pre.bias"), config.eps());
    }
    return Ops.cast(tokens, precision);
  }

  // The norm acts on each token alone, so only the token that is read needs it.
  private NDArray head(String name, Trunk trunk, int token) {
    NDArray x = trunk.tokens();
    NDArray sizes = trunk.sizes();
    NDArray read =
        switch (config.traits().pooling()) {
          case CLASS -> Ops.cast(Ops.token(x, token), Precision.FP32);
          case MEAN ->
              sizes == null
                  ? Ops.meanOfTokens(x, config.prefixTokens())
                  : MergeOps.meanOfMerged(x, sizes, config.prefixTokens());
        };
    String norm = ParameterShapes.lastNorm(config);
    NDArray normal =
        Ops.layerNorm(read, weight(norm + ".weight"), weight(norm + ".bias"), config.eps());
    NDArray out = Ops.linear(normal, weight(name + ".weight"), weight(name + ".bias"));
    return config.traits().textWidth() > 0 ? Ops.cosines(out, weight(ParameterShapes.TEXT)) : out;
  }

  static @Nullable NDArray scale(float @Nullable [][] dropPath, int branch, NDArray x) {
    if (dropPath == null) {
      return null;
    }
    return Tensors.of(x.getManager(), dropPath[branch], dropPath[branch].length, 1, 1);
  }

  @Override
  public void restore(Path path) {
    weights.restore(path);
    makeBlocks();
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
    blocks.forEach(VitBlock::close);
    weights.close();
  }

  private NDArray weight(String name) {
    return weights.named(name);
  }
}
