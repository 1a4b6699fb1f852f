package org.maskedkd.student;

import java.nio.file.Path;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.runtime.Quote;
import org.maskedkd.tensor.ProcessMemory;
import org.maskedkd.vit.Footprint;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.ModelInference;
import org.maskedkd.vit.VitConfig;

/**
 * Looks at a run's specification before anything is done for it: before the run that is open makes
 * place, and before any of it becomes a thread, an array or native memory. What data, augmentation
 * and grid must be beyond that, those who read them say.
 */
final class OpenCheck {
  /** Batches that are held at once: the running one, those ahead and one in the making. */
  private static final int BATCHES = 4;

  /** More threads than this the engine's runtime may fail to start, which ends the process. */
  private static final int LEAST_MOST_THREADS = 64;

  private OpenCheck() {}

  /**
   * @param dataRoot where a file of weights must be
   * @return the model, still with its own number of classes
   * @throws IllegalArgumentException naming what was expected and what was found
   */
  static ModelInference check(OpenStudent spec, Path dataRoot) {
    if (!spec.getRun().matches("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")) {
      throw new IllegalArgumentException(
          "a run's name must be letters, digits, '.', '_' and '-', at most 100, found "
              + Quote.of(spec.getRun()));
    }
    int most = mostThreads();
    require(
        spec.getStudent().getThreads() <= most,
        "student.threads",
        "0 to " + most,
        spec.getStudent().getThreads());
    require(
        spec.getData().getWorkers() <= most,
        "data.workers",
        "0 to " + most,
        spec.getData().getWorkers());
    double dropPath = spec.getStudent().getDropPath();
    require(dropPath >= 0 && dropPath < 1, "student.drop-path", "in [0, 1)", dropPath);
    require(
        spec.getData().getOnCorrupt() != DataSpec.OnCorrupt.UNRECOGNIZED,
        "data.on-corrupt",
        "fail or skip",
        spec.getData().getOnCorruptValue());
    require(spec.getBatch() >= 1, "the batch", "at least 1", spec.getBatch());
    optimization(spec.getOptimization());
    ModelInference found =
        ModelInference.resolve(spec.getStudent().getModel(), StartingModel.file(spec, dataRoot));
    ModelConfig model = found.config();
    require(model.channels() == 3, "the model's channels", "3, as images have", model.channels());
    if (spec.hasTeacherGrid()) {
      TeacherView.check(spec.getTeacherGrid(), model);
    }
    long guide = spec.hasTeacherGrid() ? masking(spec, model, dataRoot) : 0;
    Objective.of(spec, model);
    Grid grid = spec.getTeacherGrid();
    if (spec.getTeacherImageNative() && grid.getImageHeight() != grid.getImageWidth()) {
      throw new IllegalArgumentException(
          "teacher.image is native, which makes square images as the student's are, but the teacher's are %dx%d: expected upsampled"
              .formatted(grid.getImageHeight(), grid.getImageWidth()));
    }
    memory(spec, model, guide);
    return found;
  }

  static int mostThreads() {
    return Math.max(LEAST_MOST_THREADS, 4 * Runtime.getRuntime().availableProcessors());
  }

  /** Returns the bytes of the model that chooses in the student's place. */
  private static long masking(OpenStudent spec, ModelConfig student, Path dataRoot) {
    Masking masking = spec.getMasking();
    Masking.Criterion criterion = masking.getCriterion();
    require(
        criterion == Masking.Criterion.CRITERION_STUDENT
            || criterion == Masking.Criterion.CRITERION_RANDOM
            || criterion == Masking.Criterion.CRITERION_MODEL,
        "masking.criterion",
        "student, random or model",
        criterion);
    double share = masking.getRandomShare();
    require(share >= 0 && share < 1, "masking.random-share", "in [0, 1)", share);
    require(
        masking.getWho() != Masking.Who.UNRECOGNIZED,
        "masking.who",
        "teacher, student or both",
        masking.getWhoValue());
    require(
        student instanceof VitConfig || masking.getWhoValue() <= Masking.Who.WHO_TEACHER_VALUE,
        "masking.who",
        "teacher, since the student takes whole images (Swin)",
        masking.getWho());
    if (masking.getWho() == Masking.Who.WHO_BOTH
        && (share > 0 || criterion == Masking.Criterion.CRITERION_RANDOM)) {
      sameGrid(spec.getTeacherGrid(), student);
    }
    if (criterion == Masking.Criterion.CRITERION_STUDENT) {
      PatchChoice.row(masking).requireIn(student);
    }
    require(
        criterion != Masking.Criterion.CRITERION_MODEL || !masking.getWeights().isEmpty(),
        "masking.weights",
        "a file, since masking.criterion is model",
        "none");
    return criterion == Masking.Criterion.CRITERION_MODEL
        ? Footprint.weights(Guide.find(masking, student, dataRoot).config())
        : 0;
  }

  /** What is drawn is drawn for each grid, and would not be the same on two. */
  private static void sameGrid(Grid teacher, ModelConfig student) {
    int patch = Math.max(1, teacher.getPatch());
    int rows = teacher.getImageHeight() / patch;
    int columns = teacher.getImageWidth() / patch;
    if (rows != student.gridRows() || columns != student.gridColumns()) {
      throw new IllegalArgumentException(
          "masking.who is both and patches are drawn at random, which are the same for student and teacher only where their grids are; expected the student's %dx%d patches, found %dx%d for the teacher. Choose masking.who teacher or student, or a criterion without chance"
              .formatted(student.gridRows(), student.gridColumns(), rows, columns));
    }
  }

  private static void optimization(Optimization o) {
    require(o.getBeta1() >= 0 && o.getBeta1() < 1, "optimizer.beta1", "in [0, 1)", o.getBeta1());
    require(o.getBeta2() >= 0 && o.getBeta2() < 1, "optimizer.beta2", "in [0, 1)", o.getBeta2());
    require(o.getEpsilon() >= 0, "optimizer.epsilon", "at least 0", o.getEpsilon());
    require(o.getWeightDecay() >= 0, "optimizer.weight-decay", "at least 0", o.getWeightDecay());
    require(
        o.getLayerDecay() >= 0 && o.getLayerDecay() <= 1,
        "optimizer.layer-decay",
        "in [0, 1]",
        o.getLayerDecay());
    require(o.getClipNorm() >= 0, "optimizer.clip-norm", "at least 0", o.getClipNorm());
    require(o.getEmaDecay() >= 0 && o.getEmaDecay() < 1, "ema.decay", "in [0, 1)", o.getEmaDecay());
  }

  private static void memory(OpenStudent spec, ModelConfig model, long guide) {
    // Weights, gradients and two moments.
    long copies = 4 + (spec.getOptimization().getEmaDecay() > 0 ? 1 : 0);
    long machine = ProcessMemory.machineBytes();
    long weights = copies * Footprint.weights(model) + guide;
    if (weights + Footprint.forward(model, 1) > machine) {
      throw new IllegalArgumentException(
          "training %s takes at least %d bytes of memory, this machine has %d"
              .formatted(model.canonical(), weights, machine));
    }
    int second = RunData.second(spec, model);
    long pixels = (long) model.imageHeight() * model.imageWidth() + (long) second * second;
    long batch = 3L * pixels * spec.getBatch();
    long heap = Runtime.getRuntime().maxMemory();
    if (batch > Integer.MAX_VALUE / 2 || BATCHES * batch > heap) {
      throw new IllegalArgumentException(
          "%d batches of %d images of %dx%d%s take %d bytes, and the student's Java heap has %d: choose a smaller batch or start the student with a larger -Xmx"
              .formatted(
                  BATCHES,
                  spec.getBatch(),
                  model.imageHeight(),
                  model.imageWidth(),
                  second == 0 ? "" : " and, for the teacher, %1$dx%1$d".formatted(second),
                  BATCHES * batch,
                  heap));
    }
  }

  private static void require(boolean holds, String what, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "%s must be %s, found %s".formatted(what, expected, found));
    }
  }
}
