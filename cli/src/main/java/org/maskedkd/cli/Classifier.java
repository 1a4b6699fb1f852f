package org.maskedkd.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.maskedkd.data.Batch;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.Saliency;
import org.maskedkd.vit.VitOutput;

/** A frozen model on batches of images. One thread at a time; owns the model. */
final class Classifier implements AutoCloseable {
  private final ImageModel model;

  Classifier(ImageModel model) {
    this.model = model;
  }

  /**
   * What a model makes of a batch.
   *
   * @param logits {@code [count, classes]} row-major, on the whole images
   * @param saliency {@code [count][patches]}
   */
  @SuppressWarnings("ArrayRecordComponent") // bulk data, never compared
  record Answer(float[] logits, float[][] saliency) {}

  ModelConfig config() {
    return model.config();
  }

  /** The forward pass on whole images. */
  Answer classify(Batch batch) {
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      return answer(patches(scope, batch), batch.count());
    }
  }

  /**
   * The forward pass on the patches that the model itself finds most salient on the whole images.
   *
   * @return {@code [count, classes]} row-major
   */
  float[] classifyMasked(Batch batch, double keep) {
    int kept = PatchSelection.keepCount(keep, config().patches());
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      NDArray patches = patches(scope, batch);
      float[][] saliency = answer(patches, batch.count()).saliency();
      long[] places = new long[batch.count() * kept];
      int next = 0;
      for (float[] scores : saliency) {
        for (int place : PatchSelection.topK(scores, kept)) {
          places[next++] = place;
        }
      }
      NDArray indices = Tensors.of(scope.manager(), places, batch.count(), kept);
      return Tensors.floats(
          model
              .forward(Ops.gatherTokens(patches, indices), indices, null, /* wanted= */ null)
              .logits());
    }
  }

  private NDArray patches(Scope scope, Batch batch) {
    NDArray pixels =
        Tensors.fromBytes(
            scope.manager(),
            ByteBuffer.wrap(batch.images()),
            DataType.UINT8,
            batch.count(),
            3,
            batch.size(),
            batch.size());
    return Ops.normalizePatches(
        Ops.patches(pixels, config().patch()), config().meanValues(), config().stdValues());
  }

  private Answer answer(NDArray patches, int count) {
    VitOutput output = model.forward(patches, null, null, AttentionRow.LAST_CLASS);
    NDArray attention = Objects.requireNonNull(output.attention());
    float[][] saliency =
        Saliency.of(
            Tensors.floats(attention),
            count,
            (int) attention.getShape().get(1),
            config().attentionPrefix());
    return new Answer(Tensors.floats(output.logits()), saliency);
  }

  @Override
  public void close() {
    model.close();
  }
}
