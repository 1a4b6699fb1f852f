package org.maskedkd.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.EvalBatches;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelInference;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.VisionTransformer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Option;

/** Options of every command that runs a model in this process. */
final class ModelOptions {
  private static final Logger log = LoggerFactory.getLogger(ModelOptions.class);

  @Option(
      names = "--model",
      paramLabel = "MODEL",
      description =
          "A zoo name or vit:..., or auto, which infers it from the weights; not needed for weights that say what they are, as those of this program do.")
  private String model = "";

  @Option(
      names = "--weights",
      required = true,
      paramLabel = "FILE",
      description = "Weights with timm's names or Hugging Face's, .safetensors.")
  private Path weights = Path.of("");

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "M",
      description =
          "Mean per channel, for pixels scaled to 0..1. Default: what the weights say, else the model's.")
  private List<Double> mean = List.of();

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "S",
      description = "Standard deviation per channel, likewise.")
  private List<Double> std = List.of();

  @Option(
      names = "--precision",
      defaultValue = "fp32",
      paramLabel = "P",
      description = "fp32 or bf16. Default: ${DEFAULT-VALUE}")
  private String precision = "";

  @Option(
      names = "--threads",
      defaultValue = "0",
      paramLabel = "N",
      description = "Threads of an operator; 0: one per core.")
  private int threads;

  @Option(
      names = "--batch",
      defaultValue = "32",
      paramLabel = "N",
      description = "Images at a time. Default: ${DEFAULT-VALUE}")
  private int batch;

  @Option(
      names = "--workers",
      defaultValue = "2",
      paramLabel = "N",
      description = "Decoding threads. Default: ${DEFAULT-VALUE}")
  private int workers;

  @Option(
      names = "--eval-crop",
      paramLabel = "SHARE",
      description =
          "Share of the resized image that the centre crop keeps, in (0, 1]. Default: what the weights say, else 0.875, but 1 for models of less than 128 pixels.")
  private @Nullable Double evalCrop;

  int batch() {
    return batch;
  }

  int workers() {
    return workers;
  }

  double evalCrop(ModelConfig config) {
    return evalCrop == null
        ? evalCropOfWeights().orElse(EvalBatches.defaultCrop(config.imageHeight()))
        : evalCrop;
  }

  private Optional<Double> evalCropOfWeights() {
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      return Optional.ofNullable(file.metadata().get("eval_crop")).map(Double::valueOf);
    } catch (NumberFormatException e) {
      throw new RunException(
          ExitCode.BAD_DATA,
          weights + " has an eval_crop that is no number; give --eval-crop: " + e.getMessage(),
          e);
    }
  }

  /** The model, frozen, and the engine with it; the caller closes it. */
  Classifier load() {
    ModelConfig config = config();
    if (config.imageHeight() != config.imageWidth() || config.channels() != 3) {
      throw new RunException(
          ExitCode.USAGE,
          "the model takes %d channels of %dx%d; images of a folder are cut square and have 3"
              .formatted(config.channels(), config.imageHeight(), config.imageWidth()));
    }
    int cores = Runtime.getRuntime().availableProcessors();
    Torch.start(threads);
    Torch.useThreads(threads > 0 ? threads : cores);
    return new Classifier(
        ImageModel.load(config, weights, precision(), VisionTransformer.Mode.FROZEN));
  }

  private ModelConfig config() {
    Optional<ModelConfig> described;
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      described = ModelConfig.describedIn(file);
    }
    if (model.isEmpty() && described.isEmpty()) {
      throw new RunException(
          ExitCode.USAGE,
          weights + " does not say what model it holds; name it with --model, or try --model auto");
    }
    ModelConfig config = model.isEmpty() ? described.orElseThrow() : inferred();
    List<Double> means = mean.isEmpty() ? described.orElse(config).mean() : mean;
    List<Double> stds = std.isEmpty() ? described.orElse(config).std() : std;
    return config.withStatistics(means, stds);
  }

  private ModelConfig inferred() {
    ModelInference found = ModelInference.resolve(model, weights);
    found.notices().forEach(log::warn);
    return found.config();
  }

  private Precision precision() {
    return switch (precision.toLowerCase(Locale.ROOT)) {
      case "fp32" -> Precision.FP32;
      case "bf16" -> Precision.BF16;
      default ->
          throw new RunException(
              ExitCode.USAGE, "--precision is '" + precision + "', expected fp32 or bf16");
    };
  }
}
