package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VitConfig;

/**
 * What all rows of a benchmark have in common.
 *
 * @param memory share of the batch whose activations the student may hold, in (0, 1]
 * @param pin whether each process gets one core
 * @param socketFiles whether the stages talk as those of {@code train} do, or over TCP
 * @param sleep null for real models
 * @param slow by what factor each sleeping teacher is slower, the first ones' as far as it reaches
 */
record BenchSetup(
    VitConfig student,
    VitConfig teacher,
    int batch,
    double memory,
    int steps,
    int warmUpSteps,
    boolean pin,
    boolean socketFiles,
    @Nullable SleepDevices sleep,
    List<Double> slow) {
  /** The generated images have no more. */
  private static final int CLASSES = 8;

  static VitConfig model(String name) {
    return ModelZoo.parse(name).withClasses(CLASSES);
  }

  /** By what factor each teacher is slower than it was said to be. */
  List<Double> slowness(int teachers) {
    return IntStream.range(0, teachers).mapToObj(i -> i < slow.size() ? slow.get(i) : 1.0).toList();
  }

  /** Samples that the student may hold in this case. */
  int window(BenchCase which) {
    int cap = Math.max(1, (int) Math.floor(memory * batch + 1e-9));
    List<Integer> sizes = which.sizes(batch);
    // What an order cannot do without, it gets; its row shows the memory that it took.
    return sizes.isEmpty() ? cap : Math.max(cap, SchedulePlanner.leastWindow(which.order(), sizes));
  }

  /** The configuration of a run that takes just the steps that are wanted. */
  String yaml(BenchCase which, String runsDir) {
    List<Integer> sizes = which.sizes(batch);
    int threads = threads(1 + which.teachers());
    List<String> lines = new ArrayList<>();
    lines.add("name: run");
    lines.add("runs-dir: " + RunCommand.quoted(runsDir));
    lines.add("seed: 1");
    String precision = which.precision().name().toLowerCase(Locale.ROOT);
    lines.add(
        "student: {model: '%s', precision: %s, threads: %d, drop-path: 0}"
            .formatted(student.canonical(), precision, threads));
    lines.add(
        "teacher: {model: '%s', weights: 'random:1', precision: %s, threads: %d, replicas: %d}"
            .formatted(teacher.canonical(), precision, threads, which.teachers()));
    // Teachers that begin with the student cannot wait for its choice.
    boolean before = which.order() == Order.CONCURRENT_FULL && which.keep() < 1;
    lines.add(
        "masking: {keep: %s, criterion: %s}"
            .formatted(which.keep(), before ? "random" : "student"));
    lines.add("data:");
    lines.add("  train: " + images((steps + warmUpSteps) * batch, "train"));
    lines.add("  eval: " + images(CLASSES, "eval"));
    lines.add("  workers: 1");
    lines.add("augmentation: {crop: center, flip: 0, mixup: 0, cutmix: 0, erasing: 0}");
    lines.add("optimizer: {learning-rate: 1.0e-5, warmup-epochs: 0}");
    lines.add("schedule:");
    lines.add("  epochs: 1");
    lines.add("  batch: " + batch);
    lines.add("  micro-batches: " + (which.choosesSizes() ? BenchCase.AUTO : sizes));
    lines.add("  window: " + window(which));
    lines.add("  order: " + which.order().text());
    lines.add("  profile: true");
    lines.add("evaluation: {every-epochs: 0, teacher-check-images: 0}");
    lines.add("report: {images: 0}");
    lines.add("checkpoint: {every-steps: 0, keep: 1}");
    return String.join("\n", lines) + "\n";
  }

  private String images(int count, String split) {
    return "generated:classes=%d,images=%d,size=%d,patch=%d,seed=1,split=%s"
        .formatted(CLASSES, count, student.imageHeight(), student.patch(), split);
  }

  private int threads(int devices) {
    return pin ? 1 : Math.max(1, Runtime.getRuntime().availableProcessors() / devices);
  }

  /** The core of device {@code index}, 0 for the student; empty when nothing is pinned. */
  String core(int index) {
    return pin ? Integer.toString(index % Runtime.getRuntime().availableProcessors()) : "";
  }

  /** Whether a teacher is on the student's core, of which it gets what the student leaves. */
  private boolean helps(int index) {
    return pin && index > 0 && core(index).equals(core(0));
  }

  /** The stage's specification with its core and, if it sleeps, its times. */
  StageSpec prepared(StageSpec spec, int index) {
    List<String> arguments = new ArrayList<>(spec.arguments());
    if (sleep != null) {
      arguments.add(
          switch (spec.role()) {
            case STUDENT -> sleep.studentOption(batch);
            // The student is the first of the processes.
            case TEACHER -> sleep.teacherOption(batch, slowness(index).get(index - 1));
          });
    }
    return new StageSpec(
        spec.name(), spec.role(), arguments, spec.threads(), core(index), helps(index));
  }
}
