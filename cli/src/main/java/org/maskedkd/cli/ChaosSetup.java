package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;

/**
 * What the undisturbed and the disturbed run have in common: models so small that a step takes
 * milliseconds, and everything that makes a result depend on chance switched on.
 */
record ChaosSetup(int steps, int teachers, long seed) {
  static final int BATCH = 16;

  /** Also the steps from one checkpoint to the next. */
  private static final int STEPS_PER_EPOCH = 25;

  private static final int CLASSES = 4;

  /**
   * The configuration of a run, written into {@code folder}.
   *
   * @param name of the run, whose directory is then {@code folder/name}
   */
  Path write(Path folder, String name) throws IOException {
    Files.createDirectories(folder);
    Path file = folder.resolve(name + ".yaml");
    Files.writeString(file, yaml(folder.toAbsolutePath().toString(), name));
    return file;
  }

  /** The specifications of the stages. */
  List<StageSpec> stages(Path config) {
    RunConfig loaded = ConfigLoader.load(config, List.of());
    return LocalProcesses.stagesOf(loaded);
  }

  private String yaml(String runsDir, String name) {
    int epochs = (steps + STEPS_PER_EPOCH - 1) / STEPS_PER_EPOCH;
    return String.join(
            "\n",
            "name: " + name,
            "runs-dir: " + RunCommand.quoted(runsDir),
            "seed: " + seed,
            "student: {model: '"
                + model(32, 3)
                + "', threads: 1, drop-path: 0.2, retry-seconds: 120}",
            "teacher: {model: '"
                + model(48, 2)
                + "', weights: 'random:7', threads: 1, replicas: "
                + teachers
                + "}",
            "data:",
            "  train: " + images(STEPS_PER_EPOCH * BATCH, "train"),
            "  eval: " + images(4 * CLASSES, "eval"),
            "  workers: 1",
            "optimizer: {learning-rate: 1.0e-3, warmup-epochs: 1}",
            "ema: {decay: 0.99}",
            "schedule: {epochs: " + epochs + ", batch: " + BATCH + ", micro-batches: 4}",
            "evaluation: {every-epochs: 4, teacher-check-images: 0}",
            "checkpoint: {keep: 2}",
            "timeline: {steps: 0}")
        + "\n";
  }

  private static String model(int width, int depth) {
    return "vit:image=32,patch=8,width=%d,depth=%d,heads=4,classes=%d"
        .formatted(width, depth, CLASSES);
  }

  private String images(int count, String split) {
    return "generated:classes=%d,images=%d,size=32,patch=8,seed=%d,split=%s"
        .formatted(CLASSES, count, seed, split);
  }
}
