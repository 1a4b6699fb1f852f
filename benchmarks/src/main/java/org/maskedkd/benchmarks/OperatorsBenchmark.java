package org.maskedkd.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import org.maskedkd.tensor.FrozenLinear;
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

/**
 * Where a model's time goes: the whole pass, each operator of its blocks alone, and the matrix
 * products that no operator could avoid.
 */
@Command(
    name = "operators",
    description = "A whole pass, its operators one by one, and the bare matrix products.")
final class OperatorsBenchmark implements Runnable {
  @Option(names = "--model", defaultValue = "deit_base_patch16_224")
  private String modelName = "";

  @Option(names = "--kept", split = ",", defaultValue = "196,98")
  private List<Integer> kept = List.of();

  @Option(names = "--precisions", split = ",", defaultValue = "FP32,BF16")
  private List<Precision> precisions = List.of();

  @Option(names = "--batch", defaultValue = "8")
  private int batch;

  @Option(names = "--backward", description = "Forward and backward instead of forward alone.")
  private boolean backward;

  @Option(names = "--rounds", defaultValue = "5")
  private int rounds;

  private final Random random = new Random(1);
  private final List<FrozenLinear> layers = new ArrayList<>();

  @Override
  public void run() {
    Torch.start(1);
    VitConfig config = ModelZoo.parse(modelName);
    for (int patches : kept) {
      measure(config, patches);
    }
  }

  private void measure(VitConfig config, int patches) {
    Map<String, Supplier<NDArray>> work = new LinkedHashMap<>();
    List<VisionTransformer> models = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      NDManager manager = scope.manager();
      products(config, manager, patches, work);
      for (Precision precision : precisions) {
        VisionTransformer model =
            VisionTransformer.initialised(
                config, 1, precision, backward ? Mode.TRAINABLE : Mode.FROZEN);
        models.add(model);
        NDArray input = noise(manager, batch, patches, config.patchValues());
        long[] places = new long[batch * patches];
        for (int i = 0; i < places.length; i++) {
          places[i] = i % patches;
        }
        NDArray indices = Tensors.of(manager, places, batch, patches);
        work.put(precision + " whole", () -> model.forward(input, indices).logits());
        operators(config, manager, patches, precision, work);
      }
      Map<String, List<Double>> costs = new LinkedHashMap<>();
      for (int round = -1; round < rounds; round++) {
        for (var entry : work.entrySet()) {
          double cost =
              Alternating.cost(() -> once(entry.getValue(), !entry.getKey().startsWith("mm")))
                  .cpuSeconds();
          if (round >= 0) {
            costs.computeIfAbsent(entry.getKey(), k -> new ArrayList<>()).add(cost);
          }
        }
      }
      System.out.printf(
          "%s, %d images, %d tokens, %s, CPU ms of %d blocks (least):%n",
          modelName,
          batch,
          patches + config.prefixTokens(),
          backward ? "forward and backward" : "forward",
          config.depth());
      costs.forEach(
          (name, list) -> {
            int times = name.endsWith("whole") ? 1 : config.depth();
            System.out.printf(
                "  %-28s %8.2f (%.2f)%n",
                name,
                1e3 * times * Alternating.median(list, Double::doubleValue),
                1e3 * times * list.stream().mapToDouble(d -> d).min().orElse(0));
          });
    } finally {
      layers.forEach(FrozenLinear::close);
      layers.clear();
      models.forEach(VisionTransformer::close);
    }
  }

  private void once(Supplier<NDArray> work, boolean mayRecord) {
    boolean record = backward && mayRecord;
    try (Scope scope = Scope.open();
        GradMode mode = record ? GradMode.on() : GradMode.off()) {
      NDArray y = work.get();
      if (record) {
        // The result serves as its own cotangent: right shape, right format, no cost.
        Gradients.backward(y, y.stopGradient());
      }
    }
  }

  /** One block's operators, each on an input of its own. */
  private void operators(
      VitConfig config,
      NDManager manager,
      int patches,
      Precision precision,
      Map<String, Supplier<NDArray>> work) {
    int n = patches + config.prefixTokens();
    int d = config.width();
    int hidden = config.mlpWidth();
    NDArray x = activation(manager, precision, batch, n, d);
    NDArray qkv = activation(manager, precision, batch, n, 3L * d);
    NDArray wide = activation(manager, precision, batch, n, hidden);
    NDArray gamma = activation(manager, Precision.FP32, d);
    NDArray beta = activation(manager, Precision.FP32, d);
    linear(precision + " linear qkv", manager, precision, x, 3 * d, work);
    linear(precision + " linear proj", manager, precision, x, d, work);
    if (backward) {
      linear(precision + " linear fc1", manager, precision, x, hidden, work);
      work.put(precision + " gelu", () -> Ops.gelu(wide));
    } else {
      FrozenLinear layer = layer(manager, precision, d, hidden);
      work.put(precision + " linear fc1 and gelu", () -> layer.applyGelu(x));
    }
    linear(precision + " linear fc2", manager, precision, wide, d, work);
    work.put(
        precision + " attention",
        () ->
            backward
                ? Ops.selfAttention(qkv, config.heads())
                : Ops.frozenSelfAttention(qkv, config.heads()));
    work.put(precision + " norm, once of two", () -> Ops.layerNorm(x, gamma, beta, config.eps()));
    work.put(precision + " residual, once of two", () -> Ops.residual(x, x, null, null));
  }

  private void linear(
      String name,
      NDManager manager,
      Precision precision,
      NDArray x,
      int out,
      Map<String, Supplier<NDArray>> work) {
    long in = x.getShape().get(2);
    if (backward) {
      NDArray weight = activation(manager, Precision.FP32, out, in);
      NDArray bias = activation(manager, Precision.FP32, out);
      work.put(name, () -> Ops.linear(x, weight, bias));
    } else {
      FrozenLinear layer = layer(manager, precision, in, out);
      work.put(name, () -> layer.apply(x));
    }
  }

  private FrozenLinear layer(NDManager manager, Precision precision, long in, long out) {
    FrozenLinear layer = FrozenLinear.of(noise(manager, out, in), noise(manager, out), precision);
    layers.add(layer);
    return layer;
  }

  /** The same products in float32 through torch.mm and torch.bmm: one block's. */
  private void products(
      VitConfig config, NDManager manager, int patches, Map<String, Supplier<NDArray>> work) {
    int n = patches + config.prefixTokens();
    int d = config.width();
    int hidden = config.mlpWidth();
    product(work, "mm qkv", manager, batch * n, d, 3 * d);
    product(work, "mm proj", manager, batch * n, d, d);
    product(work, "mm fc1", manager, batch * n, d, hidden);
    product(work, "mm fc2", manager, batch * n, hidden, d);
    int perHead = d / config.heads();
    NDArray q = noise(manager, (long) batch * config.heads(), n, perHead);
    NDArray k = noise(manager, (long) batch * config.heads(), perHead, n);
    work.put(
        "mm attention",
        () -> {
          NDArray mixed = q.matMul(k).matMul(q);
          if (backward) {
            // Two products each for the gradients of both: the same sizes again, twice.
            for (int i = 0; i < 2; i++) {
              mixed = q.matMul(k).matMul(q);
            }
          }
          return mixed;
        });
  }

  private void product(
      Map<String, Supplier<NDArray>> work, String name, NDManager manager, int m, int k, int n) {
    NDArray x = noise(manager, m, k);
    NDArray w = noise(manager, n, k);
    NDArray g = noise(manager, m, n);
    work.put(
        name,
        () -> {
          NDArray y = x.matMul(w.transpose());
          if (backward) {
            NDArray toInput = g.matMul(w);
            NDArray toWeight = g.transpose().matMul(x);
            toInput.close();
            toWeight.close();
          }
          return y;
        });
  }

  private NDArray activation(NDManager manager, Precision precision, long... shape) {
    try (GradMode off = GradMode.off()) {
      NDArray x = Ops.cast(noise(manager, shape), precision);
      if (backward) {
        x.setRequiresGradient(true);
      }
      return x;
    }
  }

  private NDArray noise(NDManager manager, long... shape) {
    int size = 1;
    for (long axis : shape) {
      size = Math.multiplyExact(size, Math.toIntExact(axis));
    }
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensors.of(manager, values, shape);
  }
}
