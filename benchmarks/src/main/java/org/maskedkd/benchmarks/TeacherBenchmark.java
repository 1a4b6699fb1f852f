package org.maskedkd.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.maskedkd.teacher.TeacherModel;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A teacher process behind gRPC against the same forward called in a loop. Both have one libtorch
 * thread and never run together.
 */
@Command(name = "teacher", description = "The teacher stage over loopback and its bare forward.")
final class TeacherBenchmark implements Runnable {
  @Option(
      names = "--models",
      split = ",",
      defaultValue = "deit_small_patch16_224,deit_base_patch16_224")
  private List<String> models = List.of();

  @Option(names = "--precision", defaultValue = "FP32")
  private Precision precision = Precision.FP32;

  @Option(names = "--micro-batch", defaultValue = "8")
  private int microBatch;

  @Option(names = "--keep", defaultValue = "0.5")
  private double keep;

  @Option(names = "--rounds", defaultValue = "7")
  private int rounds;

  @Option(names = "--per-round", defaultValue = "8", description = "Micro-batches of a round.")
  private int perRound;

  @Override
  public void run() {
    Torch.start(1);
    models.forEach(this::compare);
  }

  private void compare(String name) {
    VitConfig config = ModelZoo.parse(name);
    KeptPatches input = KeptPatches.noise(config, microBatch, keep);
    try (ChildProcess process = teacher(name, precision, /* threads= */ 1);
        TeacherDriver driver = new TeacherDriver(process.awaitLine("listening "), input);
        TeacherModel model =
            new TeacherModel(
                VisionTransformer.initialised(config, 1, precision, Mode.FROZEN), List.of())) {
      driver.measure(2);
      bare(model, input);
      List<Double> bare = new ArrayList<>();
      List<TeacherDriver.Pace> behind = new ArrayList<>();
      for (int i = 0; i < rounds; i++) {
        behind.add(driver.measure(perRound));
        bare.add(bare(model, input));
      }
      double stage = Alternating.median(behind, TeacherDriver.Pace::secondsPerMicroBatch);
      double loop = Alternating.median(bare, Double::doubleValue);
      System.out.printf(
          "teacher: %s %s keep %.2f, micro-batch %d: %.2f images/s behind gRPC, %.2f in a loop:"
              + " %+.1f %%; of the stage's time %.2f %% is not the forward%n",
          name,
          precision,
          keep,
          microBatch,
          microBatch / stage,
          microBatch / loop,
          100 * (loop / stage - 1),
          100 * Alternating.median(behind, pace -> 1 - pace.forwardShare()));
    }
  }

  /** A teacher stage of random weights. */
  static ChildProcess teacher(String name, Precision precision, int threads) {
    return new ChildProcess(
        List.of("-Xmx1g", "-XX:+UseSerialGC"),
        System.getProperty("java.class.path"),
        "org.maskedkd.cli.Main",
        List.of(
            "teacher-stage",
            "--model=" + name,
            "--weights=random:1",
            "--precision=" + precision.name().toLowerCase(Locale.ROOT),
            "--threads=" + threads,
            "--listen=127.0.0.1:0"));
  }

  /** Seconds of a micro-batch. */
  private double bare(TeacherModel model, KeptPatches input) {
    long began = System.nanoTime();
    for (int i = 1; i < perRound; i++) {
      model.logits(input.patches().duplicate(), input.kept(), input.batch());
    }
    return (System.nanoTime() - began) / 1e9 / (perRound - 1);
  }
}
