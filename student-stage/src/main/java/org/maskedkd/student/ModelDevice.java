package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.Features;
import org.maskedkd.vit.VitOutput;

/** Computes with the model. */
final class ModelDevice implements StudentDevice {
  private final Learner learner;
  private final StudentForward forward;
  private final FeatureLoss features;
  private final boolean recompute;

  /**
   * @param forward of the learner's model
   * @param features what is compared with the teacher beyond the logits
   * @param recompute whether to keep no activations and run each forward once more for its backward
   */
  ModelDevice(Learner learner, StudentForward forward, FeatureLoss features, boolean recompute) {
    this.learner = learner;
    this.forward = forward;
    this.features = features;
    this.recompute = recompute;
  }

  @Override
  public Objective objective() {
    return features.objective();
  }

  @Override
  public Activations forward(
      ByteBuffer images,
      int count,
      int @Nullable [] kept,
      float @Nullable [][] drops,
      boolean wantSaliency) {
    if (!recompute) {
      return withGraph(images, count, kept, drops, wantSaliency);
    }
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      StudentForward.Result result =
          forward.run(scope, images, count, kept, drops, wantSaliency, FeatureLayers.NONE);
      NDArray distillation = distillation(result.output());
      // The same forward again, saliency too: another kernel could round otherwise.
      return new Again(
          Tensors.floats(scored(result.output())),
          distillation == null ? null : Tensors.floats(distillation),
          result.saliency(),
          () -> withGraph(images, count, kept, drops, wantSaliency));
    }
  }

  private Graph withGraph(
      ByteBuffer images,
      int count,
      int @Nullable [] kept,
      float @Nullable [][] drops,
      boolean wantSaliency) {
    FeatureLayers wanted = objective().ofStudent();
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      StudentForward.Result result =
          forward.run(scope, images, count, kept, drops, wantSaliency, wanted);
      Graph graph =
          new Graph(
              scored(result.output()),
              distillation(result.output()),
              result.output().features(),
              result.saliency());
      graph.arrays().forEach(scope::keep);
      return graph;
    }
  }

  /** What the coordinator's first gradient is of. */
  private NDArray scored(VitOutput output) {
    return objective().separateHeads() ? output.classLogits() : output.logits();
  }

  private @Nullable NDArray distillation(VitOutput output) {
    return objective().separateHeads() ? output.distillationLogits() : null;
  }

  @Override
  public boolean onCallingThread() {
    return Torch.threads() == 1;
  }

  @Override
  public float[][] saliency(ByteBuffer images, int count, float @Nullable [][] drops) {
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      return forward.run(scope, images, count, drops, /* wantSaliency= */ true).saliency();
    }
  }

  @Override
  public double optimize(double learningRate) {
    return learner.step(learningRate);
  }

  /** Results whose graph holds the activations. */
  private final class Graph implements Activations {
    private final NDArray output;
    private final @Nullable NDArray distillation;
    private final Features inner;
    private final float[][] saliency;

    Graph(NDArray output, @Nullable NDArray distillation, Features inner, float[][] saliency) {
      this.output = output;
      this.distillation = distillation;
      this.inner = inner;
      this.saliency = saliency;
    }

    List<NDArray> arrays() {
      return Stream.of(
              Stream.of(output),
              Stream.ofNullable(distillation),
              inner.tokens().stream(),
              inner.attention().stream())
          .flatMap(s -> s)
          .toList();
    }

    @Override
    public float[][] saliency() {
      return saliency;
    }

    @Override
    public float[] logits() {
      return Tensors.floats(output);
    }

    @Override
    public float @Nullable [] distillationLogits() {
      return distillation == null ? null : Tensors.floats(distillation);
    }

    @Override
    public FeatureLoss.Sums backward(BackwardSignal signal) {
      try (GradMode on = GradMode.on();
          Scope scope = Scope.open()) {
        NDArray cotangent = array(scope, signal.logitsGradient());
        if (distillation == null && !objective().comparesFeatures()) {
          Gradients.backward(output, cotangent);
          return FeatureLoss.Sums.NONE;
        }
        // One backward for all: the gradient of the sum of products is the cotangent itself.
        List<NDArray> terms = new ArrayList<>();
        terms.add(Ops.innerProduct(output, cotangent));
        if (distillation != null) {
          NamedTensor gradient = Objects.requireNonNull(signal.distillationGradient());
          terms.add(Ops.innerProduct(distillation, array(scope, gradient)));
        }
        FeatureLoss.Sums sums = FeatureLoss.Sums.NONE;
        if (objective().comparesFeatures()) {
          FeatureLoss.Parts parts = compare(scope, signal);
          terms.add(parts.total());
          sums = parts.sums();
        }
        double[] whole = new double[terms.size()];
        Arrays.fill(whole, 1);
        NDArray total = Ops.weightedSum(terms, whole);
        Gradients.backward(total, Tensors.of(scope.manager(), new float[] {1}));
        return sums;
      }
    }

    private FeatureLoss.Parts compare(Scope scope, BackwardSignal signal) {
      int samples = signal.place().samples();
      long[] places = Arrays.stream(signal.kept()).asLongStream().toArray();
      NDArray kept = Tensors.of(scope.manager(), places, samples, places.length / samples);
      Features teacher =
          new Features(blocks(scope, signal.tokens()), blocks(scope, signal.attention()));
      return features.of(inner, teacher, kept, signal.place());
    }

    private List<NDArray> blocks(Scope scope, @Nullable NamedTensor tensor) {
      if (tensor == null) {
        return List.of();
      }
      NDArray all = array(scope, tensor);
      List<NDArray> blocks = new ArrayList<>();
      for (int i = 0; i < tensor.shape()[0]; i++) {
        blocks.add(all.get(i));
      }
      return blocks;
    }

    private NDArray array(Scope scope, NamedTensor tensor) {
      return Tensors.fromBytes(scope.manager(), tensor.bytes(), DataType.FLOAT32, tensor.shape());
    }

    @Override
    public void close() {
      arrays().forEach(NDArray::close);
    }
  }

  /** Nothing but what was asked for; the graph is made when its backward comes. */
  // The arrays are handed on, never compared.
  @SuppressWarnings("ArrayRecordComponent")
  private record Again(
      float[] logits,
      float @Nullable [] distillationLogits,
      float[][] saliency,
      Supplier<Graph> forward)
      implements Activations {
    @Override
    public FeatureLoss.Sums backward(BackwardSignal signal) {
      try (Graph graph = forward.get()) {
        return graph.backward(signal);
      }
    }

    @Override
    public void close() {}
  }
}
