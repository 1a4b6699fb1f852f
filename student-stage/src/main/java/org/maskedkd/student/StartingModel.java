package org.maskedkd.student;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.DataException;
import org.maskedkd.data.DataRoot;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.WeightsOrigin;

/**
 * The model that a run begins with, and where its weights come from.
 *
 * @param model the caller's to close
 * @param notices what was adapted at loading, for people
 */
record StartingModel(ImageModel model, WeightsOrigin origin, List<String> notices) {

  /**
   * Random weights, or those of the file that {@code spec} names.
   *
   * @param inferred how the model was found, for people
   * @throws RuntimeException with a message for the user if the file does not fit
   */
  static StartingModel of(
      OpenStudent spec, ModelConfig config, List<String> inferred, Path dataRoot) {
    Precision precision = Precisions.of(spec.getStudent().getPrecision());
    VisionTransformer.Mode mode =
        spec.getStudent().getHeadOnly()
            ? VisionTransformer.Mode.TRAINABLE_HEAD
            : VisionTransformer.Mode.TRAINABLE;
    Path file = file(spec, dataRoot);
    if (file == null) {
      return new StartingModel(
          ImageModel.initialised(config, spec.getSeed(), precision, mode),
          WeightsOrigin.NONE,
          inferred);
    }
    // First, since it may fail.
    WeightsOrigin origin = WeightsOrigin.of(file);
    ImageModel model = ImageModel.adapted(config, file, spec.getSeed(), precision, mode);
    return new StartingModel(
        model, origin, Stream.of(inferred, model.notices()).flatMap(List::stream).toList());
  }

  /** The file that {@code spec} names, null if it names none. */
  static @Nullable Path file(OpenStudent spec, Path dataRoot) {
    if (spec.getStudent().getInit().isEmpty()) {
      return null;
    }
    Path file = DataRoot.inside(spec.getStudent().getInit(), dataRoot);
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new DataException(file + " is no file of weights but a folder or device");
    }
    return file;
  }

  /** What the coordinator is told about it. */
  ModelInfo info() {
    ModelConfig config = model.config();
    return ModelInfo.newBuilder()
        .setModel(config.canonical())
        .setGrid(
            Grid.newBuilder()
                .setImageHeight(config.imageHeight())
                .setImageWidth(config.imageWidth())
                .setPatch(config.patch())
                .setChannels(config.channels()))
        .setClasses(config.classes())
        .setParameters(model.parameterCount())
        .setWeightsDigest(model.digest())
        .addAllMean(config.mean())
        .addAllStd(config.std())
        .addAllNotices(notices)
        .setWeightsFileSha256(origin.fileSha256())
        .setWeightsLicense(origin.license())
        .build();
  }
}
