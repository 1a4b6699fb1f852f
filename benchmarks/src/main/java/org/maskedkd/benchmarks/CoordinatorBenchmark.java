package org.maskedkd.benchmarks;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.LossFunction;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.LocalAddresses;
import org.maskedkd.runtime.StageServer;
import org.maskedkd.runtime.TensorFrames;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * What leading a run costs: a coordinator process between a student and a teacher that compute
 * nothing. The process's CPU time is the system's own account of it; the loss is timed apart.
 */
@Command(
    name = "coordinator",
    description = "The coordinator's CPU time per image, relay and loss apart.")
final class CoordinatorBenchmark implements Callable<Integer> {
  private static final Grid GRID =
      Grid.newBuilder().setImageHeight(224).setImageWidth(224).setPatch(16).setChannels(3).build();
  private static final int PATCH_BYTES = 3 * 16 * 16;
  private static final int CLASSES = 1000;

  @Option(
      names = "--class-path",
      required = true,
      description = "The coordinator's, without a tensor library.")
  private String classPath = "";

  @Option(names = "--batch", defaultValue = "256")
  private int batch;

  @Option(names = "--micro-batch", defaultValue = "8")
  private int microBatch;

  @Option(names = "--kept", defaultValue = "98", description = "Patches of an image.")
  private int kept;

  @Option(
      names = "--images-per-second",
      defaultValue = "0",
      description = "0: as many as are answered.")
  private int imagesPerSecond;

  @Option(names = "--warm-up-steps", defaultValue = "1500")
  private int warmUpSteps;

  @Option(names = "--steps", defaultValue = "300")
  private int steps;

  @Option(
      names = "--tcp",
      description = "Over loopback, as between machines; otherwise as train connects its stages.")
  private boolean tcp;

  @Option(
      names = "--flags",
      split = " ",
      defaultValue = "-Xmx512m -XX:+UseSerialGC -XX:CompileThresholdScaling=0.1",
      description = "Of the coordinator's virtual machine; as the stages are started.")
  private List<String> flags = List.of();

  private record Reading(
      long nanos, Map<String, ChildProcess.Cpu> cpu, double peakMiB, boolean tensorLibrary) {}

  private final AtomicReference<@Nullable ChildProcess> process = new AtomicReference<>();
  private final Map<Long, Reading> readings = new TreeMap<>();

  @Override
  public Integer call() throws IOException, InterruptedException {
    Random random = new Random(1);
    byte[] patches = new byte[microBatch * kept * PATCH_BYTES];
    random.nextBytes(patches);
    int[] indices = new int[microBatch * kept];
    for (int i = 0; i < indices.length; i++) {
      indices[i] = i % kept;
    }
    float[] logits = new float[microBatch * CLASSES];
    float[] target = new float[microBatch * CLASSES];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextGaussian();
      target[i] = i % CLASSES == 7 ? 1 : 0;
    }
    timeLoss(logits, target);
    List<Tensor> tensors =
        List.of(
            TensorFrames.floats("logits", logits, microBatch, CLASSES),
            TensorFrames.floats("target", target, microBatch, CLASSES),
            TensorFrames.ints("kept_indices", indices, microBatch, kept),
            TensorFrames.bytes(
                "kept_patches", ByteBuffer.wrap(patches), microBatch, kept, PATCH_BYTES));
    long apart = imagesPerSecond == 0 ? 0 : 1_000_000_000L * microBatch / imagesPerSecond;
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    Path directory = Files.createTempDirectory("coordinator-benchmark");
    try (LocalAddresses local = LocalAddresses.create();
        StageServer student =
            StageServer.listen(tcp ? "127.0.0.1:0" : local.of("student"))
                .service(new TapeStudent(GRID, CLASSES, tensors, clock, apart, this::stepEnded))
                .start();
        StageServer teacher =
            StageServer.listen(tcp ? "127.0.0.1:0" : local.of("teacher"))
                .service(new TapeTeacher(GRID, CLASSES, tensors.get(0)))
                .start();
        ChildProcess coordinator = coordinator(directory, student.address(), teacher.address())) {
      process.set(coordinator);
      int code = coordinator.await();
      Reading from = readings.get((long) warmUpSteps);
      Reading to = readings.get((long) warmUpSteps + steps);
      if (code != 0 || from == null || to == null) {
        System.err.printf("the coordinator ended with %d after %s%n", code, readings.keySet());
        return 1;
      }
      print(from, to);
    } finally {
      clock.shutdownNow();
      delete(directory);
    }
    return 0;
  }

  private ChildProcess coordinator(Path directory, String student, String teacher)
      throws IOException {
    Path config = directory.resolve("config.yaml");
    Files.writeString(
        config,
        """
        student: {model: tape}
        teacher: {model: tape}
        data: {train: tape, eval: tape}
        evaluation: {teacher-check-images: 0}
        report: {images: 0}
        schedule: {epochs: 1, batch: %d, micro-batches: %d}
        """
            .formatted(batch, batch / microBatch));
    return new ChildProcess(
        flags,
        classPath,
        "org.maskedkd.cli.CoordinatorMain",
        List.of(
            "coordinator",
            "--config",
            config.toString(),
            "--runs-dir",
            directory.toString(),
            "--name",
            "run",
            "--student",
            student,
            "--teacher",
            teacher,
            "--max-steps",
            Integer.toString(warmUpSteps + steps + 1)));
  }

  private void stepEnded(long step) {
    ChildProcess running = process.get();
    if (running != null && (step == warmUpSteps || step == warmUpSteps + steps)) {
      readings.put(
          step,
          new Reading(
              System.nanoTime(),
              running.cpuByThread(),
              running.peakResidentMiB(),
              running.maps("torch")));
    }
  }

  private void print(Reading from, Reading to) {
    double images = (double) steps * batch;
    double seconds = (to.nanos() - from.nanos()) / 1e9;
    ChildProcess.Cpu all = ChildProcess.Cpu.NONE;
    List<String> parts = new ArrayList<>();
    for (Map.Entry<String, ChildProcess.Cpu> thread : to.cpu().entrySet()) {
      ChildProcess.Cpu spent =
          thread.getValue().minus(from.cpu().getOrDefault(thread.getKey(), ChildProcess.Cpu.NONE));
      all = all.plus(spent);
      if (1e6 * (spent.user() + spent.system()) / images >= 0.5) {
        parts.add(
            "%s %.1f + %.1f"
                .formatted(
                    thread.getKey(), 1e6 * spent.user() / images, 1e6 * spent.system() / images));
      }
    }
    double each = 1e6 * (all.user() + all.system()) / images;
    System.out.printf(
        "coordinator: %d patches, %d classes, %.0f images/s: %.1f us of CPU per image, %.1f %% of a"
            + " core at 1000 images/s (user + system by thread: %s); resident %.0f MiB; tensor"
            + " library loaded: %s%n",
        kept,
        CLASSES,
        images / seconds,
        each,
        each / 10,
        String.join(", ", parts),
        to.peakMiB(),
        to.tensorLibrary());
  }

  private void timeLoss(float[] logits, float[] target) {
    LossFunction loss = new LossFunction(RunConfig.Kind.SOFT, 0.5, 1);
    float[] gradient = new float[logits.length];
    int repeats = 1 + 4000 / microBatch;
    double[] total = {0};
    Runnable work =
        () -> {
          for (int i = 0; i < repeats; i++) {
            total[0] += loss.apply(logits, target, target, CLASSES, batch, gradient).getTotal();
          }
        };
    work.run();
    List<Alternating.Cost> costs = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      costs.add(Alternating.cost(work));
    }
    double each = Alternating.median(costs, Alternating.Cost::cpuSeconds) / repeats / microBatch;
    System.out.printf(
        "coordinator: the loss and its gradient take %.1f us per image of %d classes (sum %.1f)%n",
        1e6 * each, CLASSES, total[0]);
  }

  private static void delete(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
