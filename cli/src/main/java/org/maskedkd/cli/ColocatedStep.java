package org.maskedkd.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.maskedkd.coordinator.LossFunction;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.tensor.AdamW;
import org.maskedkd.tensor.Filter;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.Saliency;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.VitOutput;

/**
 * A training step without a pipeline, in the order of the paper's program: for each micro-batch the
 * student's forward, the selection, the teacher's forward on what was selected, the loss, the
 * student's backward; then the optimizer. Always the same random images, so that no time goes into
 * data.
 */
final class ColocatedStep implements AutoCloseable {
  private static final double WEIGHT_DECAY = 0.05;
  private static final double LEARNING_RATE = 1e-5;

  private final VisionTransformer student;
  private final VisionTransformer teacher;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final LossFunction loss = new LossFunction(RunConfig.Kind.SOFT, 0.5, 1);
  private final byte[] images;
  private final int batch;
  private final double keep;

  ColocatedStep(VitConfig student, VitConfig teacher, int batch, double keep, Precision precision) {
    this.student = VisionTransformer.initialised(student, 1, precision, Mode.TRAINABLE);
    this.teacher = VisionTransformer.initialised(teacher, 1, precision, Mode.FROZEN);
    this.gradients = new Gradients(List.copyOf(this.student.parameters().values()));
    List<NDArray> decaying = new ArrayList<>();
    List<NDArray> others = new ArrayList<>();
    this.student
        .parameters()
        .forEach((name, p) -> (this.student.decays(name) ? decaying : others).add(p));
    this.optimizer =
        new AdamW(
            List.of(new AdamW.Group(decaying, WEIGHT_DECAY), new AdamW.Group(others, 0)),
            0.9,
            0.999,
            1e-8);
    this.batch = batch;
    this.keep = keep;
    this.images = new byte[batch * bytesPerImage()];
    new SplittableRandom(1).nextBytes(images);
  }

  private int bytesPerImage() {
    VitConfig config = student.config();
    return config.channels() * config.imageHeight() * config.imageWidth();
  }

  /**
   * One step, in pieces of at most {@code microBatch} images.
   *
   * @return the gradient's norm
   */
  double run(int microBatch) {
    for (int from = 0; from < batch; from += microBatch) {
      forwardAndBackward(from, Math.min(microBatch, batch - from));
    }
    double norm = gradients.norm();
    optimizer.step(gradients, LEARNING_RATE);
    gradients.zero();
    return norm;
  }

  private void forwardAndBackward(int from, int count) {
    VitConfig config = student.config();
    NDArray logits;
    float[][] saliency;
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      NDArray patches =
          Ops.normalizePatches(
              Ops.patches(pixels(scope, from, count), config.patch()),
              config.meanValues(),
              config.stdValues());
      VitOutput output = student.forward(patches, null, null, AttentionRow.LAST_CLASS);
      saliency =
          Saliency.of(
              Tensors.floats(Objects.requireNonNull(output.attention())),
              count,
              config.heads(),
              config.attentionPrefix());
      logits = scope.keep(output.logits());
    }
    // Without the intermediates in hand, a backward pass frees what it has used.
    try (logits;
        GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      float[] z = Tensors.floats(logits);
      float[] gradient = new float[z.length];
      int classes = config.classes();
      loss.apply(z, supervise(saliency, from, count), target(count), classes, batch, gradient);
      Gradients.backward(logits, Tensors.of(scope.manager(), gradient, count, classes));
    }
  }

  private float[] supervise(float[][] saliency, int from, int count) {
    VitConfig config = teacher.config();
    int kept = PatchSelection.keepCount(keep, config.patches());
    long[] places = new long[count * kept];
    int next = 0;
    for (float[] scores : saliency) {
      float[] onGrid =
          Saliency.toGrid(
              scores,
              student.config().gridRows(),
              student.config().gridColumns(),
              config.gridRows(),
              config.gridColumns());
      for (int place : PatchSelection.topK(onGrid, kept)) {
        places[next++] = place;
      }
    }
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      NDArray pixels = pixels(scope, from, count);
      if (config.imageHeight() != student.config().imageHeight()
          || config.imageWidth() != student.config().imageWidth()) {
        pixels = Ops.resample(pixels, config.imageHeight(), config.imageWidth(), Filter.BICUBIC);
      }
      NDArray indices = Tensors.of(scope.manager(), places, count, kept);
      NDArray chosen = Ops.gatherTokens(Ops.patches(pixels, config.patch()), indices);
      NDArray normalised = Ops.normalizePatches(chosen, config.meanValues(), config.stdValues());
      return Tensors.floats(teacher.forward(normalised, indices).logits());
    }
  }

  private NDArray pixels(Scope scope, int from, int count) {
    VitConfig config = student.config();
    return Tensors.fromBytes(
        scope.manager(),
        ByteBuffer.wrap(images, from * bytesPerImage(), count * bytesPerImage()).slice(),
        DataType.UINT8,
        count,
        config.channels(),
        config.imageHeight(),
        config.imageWidth());
  }

  /** The first class for every image. */
  private float[] target(int count) {
    int classes = student.config().classes();
    float[] target = new float[count * classes];
    for (int image = 0; image < count; image++) {
      target[image * classes] = 1;
    }
    return target;
  }

  @Override
  public void close() {
    optimizer.close();
    gradients.close();
    teacher.close();
    student.close();
  }
}
