package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.Saliency;
import org.maskedkd.vit.VitOutput;

/** From uint8 images to the student's logits and, where asked, its saliency. */
final class StudentForward {
  private final ImageModel model;
  private final AttentionRow row;

  /**
   * @param row the attention that is its saliency
   */
  StudentForward(ImageModel model, AttentionRow row) {
    this.model = model;
    this.row = row;
  }

  ModelConfig config() {
    return model.config();
  }

  /**
   * @param output with its graph if gradients are on; belongs to the caller's scope
   * @param saliency {@code [batch][patches]}, empty when it was not asked for
   */
  record Result(VitOutput output, float[][] saliency) {
    /** Float32 {@code [batch, classes]}, those that an evaluation reads. */
    NDArray logits() {
      return output.logits();
    }
  }

  /** On whole images. */
  Result run(
      Scope scope, ByteBuffer images, int count, float @Nullable [][] drops, boolean wantSaliency) {
    return run(scope, images, count, /* kept= */ null, drops, wantSaliency, FeatureLayers.NONE);
  }

  /**
   * @param images uint8 {@code [count, channels, height, width]}
   * @param kept places on the grid of the patches that the model is given, {@code [count, k]}
   *     row-major; null for all
   * @param drops drop-path scales {@code [2*depth][count]}, null for none
   * @param features what of inner blocks is wanted beside
   */
  Result run(
      Scope scope,
      ByteBuffer images,
      int count,
      int @Nullable [] kept,
      float @Nullable [][] drops,
      boolean wantSaliency,
      FeatureLayers features) {
    ModelConfig config = model.config();
    NDArray pixels =
        Tensors.fromBytes(
            scope.manager(),
            images,
            DataType.UINT8,
            count,
            config.channels(),
            config.imageHeight(),
            config.imageWidth());
    NDArray all = Ops.patches(pixels, config.patch());
    NDArray places = kept == null ? null : places(scope, kept, count);
    NDArray given = places == null ? all : Ops.gatherTokens(all, places);
    NDArray patches = Ops.normalizePatches(given, config.meanValues(), config.stdValues());
    VitOutput output = model.forward(patches, places, drops, wantSaliency ? row : null, features);
    @Nullable NDArray attention = output.attention();
    float[][] saliency =
        attention == null
            ? new float[0][]
            : Saliency.of(
                Tensors.floats(attention),
                count,
                (int) attention.getShape().get(1),
                config.attentionPrefix());
    return new Result(output, saliency);
  }

  private static NDArray places(Scope scope, int[] kept, int count) {
    long[] places = Arrays.stream(kept).asLongStream().toArray();
    return Tensors.of(scope.manager(), places, count, kept.length / count);
  }
}
