package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.maskedkd.data.DataRoot;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelInference;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VitConfig;

/**
 * A frozen model whose attention chooses the patches in the student's place: the teacher itself, or
 * a third one such as DINO. It sees the student's images. On the training thread.
 */
final class Guide implements AutoCloseable {
  private final VisionTransformer model;
  private final StudentForward forward;
  private final List<String> notices;

  private Guide(VisionTransformer model, AttentionRow row, List<String> notices) {
    this.model = model;
    this.forward = new StudentForward(model, row);
    this.notices = notices;
  }

  /**
   * Loads the model, for images of the student's size.
   *
   * @throws RuntimeException with a message for the user if it does not fit
   */
  static Guide open(Masking masking, ModelConfig student, Path dataRoot) {
    Path weights = DataRoot.inside(masking.getWeights(), dataRoot);
    ModelInference found = find(masking, student, dataRoot);
    VitConfig config = found.vit();
    AttentionRow row = PatchChoice.row(masking);
    VisionTransformer model =
        VisionTransformer.adapted(
            config, weights, 0, Precision.FP32, VisionTransformer.Mode.FROZEN);
    return new Guide(
        model, row, Stream.of(found.notices(), model.notices()).flatMap(List::stream).toList());
  }

  /**
   * The model that {@code masking} names, for images of the student's size; nothing is loaded.
   *
   * @throws RuntimeException with a message for the user if it does not fit
   */
  static ModelInference find(Masking masking, ModelConfig student, Path dataRoot) {
    Path weights = DataRoot.inside(masking.getWeights(), dataRoot);
    ModelInference found = ModelInference.resolve(masking.getModel(), weights);
    VitConfig config =
        found
            .vit()
            .withImage(student.imageHeight(), student.imageWidth())
            .withWantedStatistics(masking.getMeanList(), masking.getStdList());
    PatchChoice.row(masking).requireIn(config);
    return new ModelInference(config, found.notice());
  }

  VitConfig config() {
    return model.config();
  }

  /** Of its weights. */
  String digest() {
    return model.digest();
  }

  /** What a person should read about how it was loaded. */
  List<String> notices() {
    return notices;
  }

  /** Of each image, on this model's grid. */
  float[][] saliency(ByteBuffer images, int count) {
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      return forward.run(scope, images, count, null, /* wantSaliency= */ true).saliency();
    }
  }

  @Override
  public void close() {
    model.close();
  }
}
