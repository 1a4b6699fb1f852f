package org.maskedkd.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.maskedkd.tensor.AdamW;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A training step of the student, in our operators and in DJL's own; both with our AdamW. */
@Command(name = "student", description = "Forward, backward and optimizer of the student.")
final class StudentBenchmark implements Runnable {
  @Option(names = "--model", defaultValue = "deit_tiny_patch16_224")
  private String modelName = "";

  @Option(names = "--batch", defaultValue = "32")
  private int batch;

  @Option(names = "--rounds", defaultValue = "5")
  private int rounds;

  @Option(names = "--optimizer-steps", defaultValue = "200")
  private int optimizerSteps;

  @Override
  public void run() {
    Torch.start(1);
    VitConfig config = ModelZoo.parse(modelName);
    try (VisionTransformer model =
        VisionTransformer.initialised(config, 1, Precision.FP32, Mode.TRAINABLE)) {
      PlainVit plain = new PlainVit(config, model.parameters());
      List<NDArray> parameters = List.copyOf(model.parameters().values());
      try (Gradients gradients = new Gradients(parameters);
          AdamW optimizer = optimizer(model)) {
        UnaryOperator<NDArray> ours = patches -> model.forward(patches).logits();
        checkAlike(config, gradients, ours, plain::forward);
        Alternating.Rounds found =
            Alternating.measure(
                rounds,
                () -> step(config, gradients, optimizer, ours),
                () -> step(config, gradients, optimizer, plain::forward));
        System.out.printf(
            "student: %s, batch %d: a step takes %.0f ms in our operators, %.0f ms in DJL's: %.3f"
                + " of it (CPU %.0f, %.0f: %.3f)%n",
            modelName,
            batch,
            1e3 * found.firstWall(),
            1e3 * found.secondWall(),
            found.firstWall() / found.secondWall(),
            1e3 * found.firstCpu(),
            1e3 * found.secondCpu(),
            found.firstCpu() / found.secondCpu());
        timeOptimizer(gradients, optimizer);
      }
    }
  }

  private static AdamW optimizer(VisionTransformer model) {
    List<NDArray> decaying = new ArrayList<>();
    List<NDArray> others = new ArrayList<>();
    model.parameters().forEach((name, p) -> (model.decays(name) ? decaying : others).add(p));
    return new AdamW(
        List.of(new AdamW.Group(decaying, 0.05), new AdamW.Group(others, 0)), 0.9, 0.999, 1e-8);
  }

  private void step(
      VitConfig config, Gradients gradients, AdamW optimizer, UnaryOperator<NDArray> forward) {
    backward(config, forward);
    optimizer.step(gradients, 1e-5);
    gradients.zero();
  }

  /** From uint8 images to gradients, for a fixed cotangent. */
  private void backward(VitConfig config, UnaryOperator<NDArray> forward) {
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      NDArray logits;
      // Without the intermediates in hand, a backward pass frees what it has used.
      try (Scope inner = Scope.open()) {
        logits = inner.keep(forward.apply(patches(config, inner)));
      }
      float[] cotangent = new float[Math.toIntExact(logits.size())];
      Random random = new Random(2);
      for (int i = 0; i < cotangent.length; i++) {
        cotangent[i] = (float) random.nextGaussian() / cotangent.length;
      }
      Gradients.backward(
          logits, Tensors.of(scope.manager(), cotangent, logits.getShape().getShape()));
      logits.close();
    }
  }

  private NDArray patches(VitConfig config, Scope scope) {
    byte[] bytes = new byte[batch * config.channels() * config.imageHeight() * config.imageWidth()];
    new Random(1).nextBytes(bytes);
    NDArray images =
        Tensors.fromBytes(
            scope.manager(),
            ByteBuffer.wrap(bytes),
            DataType.UINT8,
            batch,
            config.channels(),
            config.imageHeight(),
            config.imageWidth());
    return Ops.normalizePatches(
        Ops.patches(images, config.patch()), config.meanValues(), config.stdValues());
  }

  /** Says how far the two ways' gradients are apart, so that it is seen that they do the same. */
  private void checkAlike(
      VitConfig config,
      Gradients gradients,
      UnaryOperator<NDArray> ours,
      UnaryOperator<NDArray> plain) {
    backward(config, ours);
    List<float[]> first = new ArrayList<>();
    for (int i = 0; i < gradients.parameters().size(); i++) {
      first.add(Tensors.floats(gradients.of(i)));
    }
    gradients.zero();
    backward(config, plain);
    double worst = 0;
    for (int i = 0; i < first.size(); i++) {
      float[] second = Tensors.floats(gradients.of(i));
      double difference = 0;
      double largest = Double.MIN_NORMAL;
      for (int j = 0; j < second.length; j++) {
        difference = Math.max(difference, Math.abs(second[j] - first.get(i)[j]));
        largest = Math.max(largest, Math.abs(second[j]));
      }
      worst = Math.max(worst, difference / largest);
    }
    gradients.zero();
    System.out.printf(
        "student: gradients of both ways differ by at most %.1e of each tensor's largest%n", worst);
  }

  private void timeOptimizer(Gradients gradients, AdamW optimizer) {
    List<Alternating.Cost> costs = new ArrayList<>();
    for (int i = 0; i < optimizerSteps; i++) {
      costs.add(Alternating.cost(() -> optimizer.step(gradients, 1e-5)));
    }
    System.out.printf(
        "student: AdamW over %d tensors: %.2f ms (CPU %.2f, least %.2f)%n",
        gradients.parameters().size(),
        1e3 * Alternating.median(costs, Alternating.Cost::wallSeconds),
        1e3 * Alternating.median(costs, Alternating.Cost::cpuSeconds),
        1e3 * costs.stream().mapToDouble(Alternating.Cost::wallSeconds).min().orElse(0));
  }
}
