package org.maskedkd.student;

import java.nio.file.Files;
import java.nio.file.Path;
import org.maskedkd.data.DataException;
import org.maskedkd.data.DataRoot;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.WeightsOrigin;

/**
 * The model that a run begins with, and where its weights come from.
 *
 * @param model the caller's to close
 */
record StartingModel(VisionTransformer model, WeightsOrigin origin) {

  /**
   * Random weights, or those of the file that {@code spec} names.
   *
   * @throws RuntimeException with a message for the user if the file does not fit
   */
  static StartingModel of(OpenStudent spec, VitConfig config, Path dataRoot) {
    Precision precision = Precisions.of(spec.getStudent().getPrecision());
    if (spec.getStudent().getInit().isEmpty()) {
      return new StartingModel(
          VisionTransformer.initialised(
              config, spec.getSeed(), precision, VisionTransformer.Mode.TRAINABLE),
          WeightsOrigin.NONE);
    }
    Path file = DataRoot.inside(spec.getStudent().getInit(), dataRoot);
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new DataException(file + " is no file of weights but a folder or device");
    }
    return new StartingModel(
        VisionTransformer.adapted(
            config, file, spec.getSeed(), precision, VisionTransformer.Mode.TRAINABLE),
        WeightsOrigin.of(file));
  }

  /** What the coordinator is told about it. */
  ModelInfo info() {
    VitConfig config = model.config();
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
        .addAllNotices(model.notices())
        .setWeightsFileSha256(origin.fileSha256())
        .setWeightsLicense(origin.license())
        .build();
  }
}
