package org.maskedkd.benchmarks;

import java.util.List;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The memory of a teacher with some of the patches: for each share a process of its own, the most
 * that it ever had resident (Table 11 of the paper, which says it of a GPU).
 */
@Command(name = "memory", description = "Peak memory of a teacher stage, by the share of patches.")
final class MemoryBenchmark implements Runnable {
  @Option(names = "--model", defaultValue = "deit_base_patch16_224")
  private String model = "";

  @Option(names = "--precision", defaultValue = "FP32")
  private Precision precision = Precision.FP32;

  @Option(names = "--batch", defaultValue = "128")
  private int batch;

  @Option(names = "--keep", split = ",", defaultValue = "1,0.75,0.5,0.25")
  private List<Double> keep = List.of();

  @Option(names = "--threads", defaultValue = "1")
  private int threads;

  @Override
  public void run() {
    keep.forEach(this::measure);
  }

  private void measure(double share) {
    VitConfig config = ModelZoo.parse(model);
    KeptPatches input = KeptPatches.noise(config, batch, share);
    try (ChildProcess process = TeacherBenchmark.teacher(model, precision, threads);
        TeacherDriver driver = new TeacherDriver(process.awaitLine("listening "), input)) {
      double loaded = process.peakResidentMiB();
      driver.measure(2);
      double peak = process.peakResidentMiB();
      System.out.printf(
          "memory: %s %s, batch %d, %d of %d patches: %.0f MiB with the weights loaded, at most"
              + " %.0f, for the forward %.0f%n",
          model, precision, batch, input.perImage(), config.patches(), loaded, peak, peak - loaded);
    }
  }
}
