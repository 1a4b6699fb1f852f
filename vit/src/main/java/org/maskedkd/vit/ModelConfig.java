package org.maskedkd.vit;

import java.util.List;
import java.util.Optional;

/**
 * What is known of a model of images without its weights, whatever its architecture. {@link
 * #canonical()} writes it as one line that {@link #parse} reads back to an equal config.
 */
public sealed interface ModelConfig permits VitConfig, SwinConfig {

  /** ImageNet's mean, the default of every model. */
  List<Double> IMAGENET_MEAN = List.of(0.485, 0.456, 0.406);

  /** ImageNet's standard deviation, the default of every model. */
  List<Double> IMAGENET_STD = List.of(0.229, 0.224, 0.225);

  /**
   * Reads a model of any architecture: a name, a name with changes or {@code vit:...} as {@link
   * ModelZoo#parse}, or {@code swin:key=value,...}.
   *
   * <p>Keys of the latter: {@code image} (a side), {@code patch}, {@code width}, {@code depths} and
   * {@code heads} (one number per stage with {@code /} between), {@code window}, {@code classes},
   * and those with a default: {@code channels} (3), {@code eps} (1e-5), {@code mean} and {@code
   * std} (ImageNet's).
   *
   * @throws IllegalArgumentException as {@link ModelZoo#parse}
   */
  static ModelConfig parse(String text) {
    return SwinZoo.reads(text) ? SwinZoo.parse(text) : ModelZoo.parse(text);
  }

  /** The model that a weights file of ours says it holds, in its metadata. */
  static Optional<ModelConfig> describedIn(SafetensorsFile file) {
    return Optional.ofNullable(file.metadata().get("model"))
        .filter(model -> List.of(ModelZoo.FREE, SwinZoo.FREE).contains(ModelZoo.name(model)))
        .map(ModelConfig::parse);
  }

  /** Input height in pixels. */
  int imageHeight();

  /** Input width in pixels. */
  int imageWidth();

  /** Side of a square patch in pixels, of which the model's first tokens are made. */
  int patch();

  int channels();

  /** Outputs of the head. */
  int classes();

  /** Blocks, of all stages together. */
  int depth();

  /** What the input is centred with, per channel, for pixels scaled to 0..1. */
  List<Double> mean();

  /** What the input is divided by, per channel. */
  List<Double> std();

  /** Rows of the grid that its attention is over. */
  int gridRows();

  /** Columns of the grid that its attention is over. */
  int gridColumns();

  /** Tokens before those of the grid in {@link VitOutput#attention}. */
  int attentionPrefix();

  /** The whole architecture in one line, without any default left out. */
  String canonical();

  /** The same model for another number of classes. */
  ModelConfig withClasses(int classes);

  /** The same model for other input statistics. */
  ModelConfig withStatistics(List<Double> mean, List<Double> std);

  /**
   * The same model for the input statistics that a user asks for. ImageNet's are everybody's
   * default and leave a model that has others (CLIP) its own.
   *
   * @param wantedMean empty, as {@code wantedStd} then is, for the model's own
   */
  default ModelConfig withWantedStatistics(List<Double> wantedMean, List<Double> wantedStd) {
    boolean usual =
        (wantedMean.isEmpty() && wantedStd.isEmpty())
            || (wantedMean.equals(IMAGENET_MEAN) && wantedStd.equals(IMAGENET_STD));
    return usual ? this : withStatistics(wantedMean, wantedStd);
  }

  /** Patches of an image. */
  default int patches() {
    return imageHeight() / patch() * (imageWidth() / patch());
  }

  /** Numbers in a flattened patch. */
  default int patchValues() {
    return channels() * patch() * patch();
  }

  /** {@link #mean} for the operators. */
  default double[] meanValues() {
    return mean().stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** {@link #std} for the operators. */
  default double[] stdValues() {
    return std().stream().mapToDouble(Double::doubleValue).toArray();
  }
}
