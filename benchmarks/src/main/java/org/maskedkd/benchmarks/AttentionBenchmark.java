package org.maskedkd.benchmarks;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.maskedkd.tensor.AttentionKernel;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The ways to compute attention side by side, shape by shape. */
@Command(name = "attention", description = "Fused and plain attention, forward and backward.")
final class AttentionBenchmark implements Runnable {
  @Option(names = "--tokens", split = ",", defaultValue = "17,33,65,99,197")
  private List<Integer> tokens = List.of();

  @Option(names = "--heads", split = ",", defaultValue = "3x16,3x32,3x64,6x64,12x64")
  private List<String> heads = List.of();

  @Option(names = "--precisions", split = ",", defaultValue = "FP32,BF16")
  private List<Precision> precisions = List.of();

  @Option(names = "--fp32-kernels", split = ",", defaultValue = "FUSED,PLAIN")
  private List<AttentionKernel> fp32Kernels = List.of();

  @Option(names = "--bf16-kernels", split = ",", defaultValue = "FUSED,FUSED_WIDENED,PLAIN_WIDENED")
  private List<AttentionKernel> bf16Kernels = List.of();

  @Option(names = "--batch", defaultValue = "8")
  private int batch;

  @Option(names = "--rounds", defaultValue = "5")
  private int rounds;

  @Option(names = "--round-millis", defaultValue = "10")
  private double roundMillis;

  private record Shape(Precision precision, boolean backward, int heads, int width, int tokens) {

    @Override
    public String toString() {
      return "%s %s, %dx%d, %d tokens"
          .formatted(
              precision, backward ? "forward and backward" : "forward", heads, width, tokens);
    }
  }

  @Override
  public void run() {
    Torch.start(1);
    System.out.println("CPU milliseconds: median (least)");
    for (Precision precision : precisions) {
      for (boolean backward : new boolean[] {false, true}) {
        for (String split : heads) {
          String[] parts = split.split("x", 2);
          for (int n : tokens) {
            compare(
                new Shape(
                    precision,
                    backward,
                    Integer.parseInt(parts[0]),
                    Integer.parseInt(parts[1]),
                    n));
          }
        }
      }
    }
  }

  private void compare(Shape shape) {
    int width = shape.heads * shape.width;
    float[] values = new float[batch * shape.tokens * 3 * width];
    Random random = new Random(1);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    float[] third = Arrays.copyOf(values, values.length / 3);
    try (Scope scope = Scope.open();
        GradMode off = GradMode.off()) {
      NDArray qkv =
          Ops.cast(
              Tensors.of(scope.manager(), values, batch, shape.tokens, 3L * width),
              shape.precision);
      NDArray cotangent =
          Ops.cast(Tensors.of(scope.manager(), third, batch, shape.tokens, width), shape.precision);
      if (shape.backward) {
        qkv.setRequiresGradient(true);
      }
      Map<AttentionKernel, Repeated> work = new LinkedHashMap<>();
      for (AttentionKernel kernel : shape.precision == Precision.FP32 ? fp32Kernels : bf16Kernels) {
        work.put(kernel, repeated(() -> once(qkv, cotangent, shape, kernel)));
      }
      Map<AttentionKernel, List<Double>> found = new LinkedHashMap<>();
      for (int round = 0; round < rounds; round++) {
        work.forEach(
            (kernel, repeated) ->
                found
                    .computeIfAbsent(kernel, k -> new ArrayList<>())
                    .add(1e3 * Alternating.cost(repeated).cpuSeconds() / repeated.times));
      }
      StringBuilder line = new StringBuilder(shape + ":");
      found.forEach(
          (kernel, costs) ->
              line.append(
                  String.format(
                      " %s %.3f (%.3f)",
                      kernel,
                      Alternating.median(costs, Double::doubleValue),
                      costs.stream().mapToDouble(Double::doubleValue).min().orElse(0))));
      System.out.println(line);
    }
  }

  private record Repeated(Runnable work, int times) implements Runnable {
    @Override
    public void run() {
      for (int i = 0; i < times; i++) {
        work.run();
      }
    }
  }

  /** As often as makes one round long enough for the clock; warmed up by one run. */
  private Repeated repeated(Runnable work) {
    work.run();
    double once = Alternating.cost(work).cpuSeconds();
    return new Repeated(work, (int) Math.max(1, Math.ceil(roundMillis / 1e3 / once)));
  }

  private static void once(NDArray qkv, NDArray cotangent, Shape shape, AttentionKernel kernel) {
    try (Scope scope = Scope.open();
        GradMode mode = shape.backward ? GradMode.on() : GradMode.off()) {
      NDArray mixed = Ops.selfAttention(qkv, shape.heads, kernel);
      if (shape.backward) {
        Gradients.backward(mixed, cotangent);
      }
    }
  }
}
