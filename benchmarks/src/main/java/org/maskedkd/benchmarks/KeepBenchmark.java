package org.maskedkd.benchmarks;

import java.util.List;
import org.maskedkd.teacher.TeacherModel;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What a teacher saves by seeing half of the patches. */
@Command(name = "keep", description = "The teacher's forward with all patches and with half.")
final class KeepBenchmark implements Runnable {
  @Option(
      names = "--models",
      split = ",",
      defaultValue = "deit_small_patch16_224,deit_base_patch16_224")
  private List<String> models = List.of();

  @Option(names = "--precisions", split = ",", defaultValue = "FP32,BF16")
  private List<Precision> precisions = List.of();

  @Option(names = "--micro-batch", defaultValue = "8")
  private int microBatch;

  @Option(names = "--rounds", defaultValue = "9")
  private int rounds;

  @Override
  public void run() {
    Torch.start(1);
    for (String name : models) {
      for (Precision precision : precisions) {
        compare(ModelZoo.parse(name), name, precision);
      }
    }
  }

  private void compare(VitConfig config, String name, Precision precision) {
    KeptPatches all = KeptPatches.noise(config, microBatch, 1);
    KeptPatches half = KeptPatches.noise(config, microBatch, 0.5);
    try (TeacherModel model =
        new TeacherModel(
            VisionTransformer.initialised(config, 1, precision, Mode.FROZEN), List.of())) {
      Alternating.Rounds found =
          Alternating.measure(rounds, () -> forward(model, all), () -> forward(model, half));
      System.out.printf(
          "keep: %s %s, %d images: %.1f ms with all patches, %.1f ms with half: %.2fx (CPU %.1f,"
              + " %.1f: %.2fx)%n",
          name,
          precision,
          microBatch,
          1e3 * found.firstWall(),
          1e3 * found.secondWall(),
          found.firstWall() / found.secondWall(),
          1e3 * found.firstCpu(),
          1e3 * found.secondCpu(),
          found.firstCpu() / found.secondCpu());
    }
  }

  private static void forward(TeacherModel model, KeptPatches input) {
    model.logits(input.patches().duplicate(), input.kept(), input.batch());
  }
}
