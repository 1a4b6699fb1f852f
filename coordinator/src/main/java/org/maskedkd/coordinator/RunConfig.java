package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.List;
import org.maskedkd.schedule.Order;

/**
 * Everything a run is told, resolved and checked. {@code defaults.yaml} beside this class holds
 * every key with its default and its meaning; {@link ConfigLoader} makes the one from the other.
 * The value written by {@link ConfigLoader#toYaml} reads back equal.
 */
public record RunConfig(
    String name,
    String runsDir,
    long seed,
    Student student,
    Teacher teacher,
    Masking masking,
    Distillation distillation,
    Data data,
    Augmentation augmentation,
    Optimizer optimizer,
    Ema ema,
    Schedule schedule,
    Evaluation evaluation,
    Checkpoint checkpoint,
    Timeline timeline,
    Report report,
    Tls tls,
    boolean deterministic) {

  /** How a stage computes. */
  public enum Precision {
    @JsonProperty("fp32")
    FP32,
    @JsonProperty("bf16")
    BF16
  }

  /** What of the student learns. */
  public enum Trained {
    /** Everything. */
    @JsonProperty("all")
    ALL,
    /** The classifier, on frozen features. */
    @JsonProperty("head")
    HEAD
  }

  /** What chooses the patches that the teacher sees. */
  public enum Criterion {
    /** The student's attention. */
    @JsonProperty("student")
    STUDENT,
    /** Chance. */
    @JsonProperty("random")
    RANDOM,
    /** The teacher's own attention to the whole image. */
    @JsonProperty("teacher")
    TEACHER,
    /** The attention of {@link Masking#model}. */
    @JsonProperty("model")
    MODEL
  }

  /** What a teacher of another resolution sees. */
  public enum TeacherImage {
    /** The student's view, resampled. */
    @JsonProperty("upsampled")
    UPSAMPLED,
    /** The same view, made from the source's own pixels. */
    @JsonProperty("native")
    NATIVE
  }

  /** Who sees the kept patches alone. */
  public enum Who {
    /** The teacher, and the student sees all. */
    @JsonProperty("teacher")
    TEACHER,
    /** The student, and the teacher sees all. */
    @JsonProperty("student")
    STUDENT,
    /** Both see the same ones. */
    @JsonProperty("both")
    BOTH
  }

  /** Whose attention scores the patches. */
  public enum Row {
    /** The class token's. */
    @JsonProperty("class")
    CLASS,
    /** The mean of all patches'. */
    @JsonProperty("patches")
    PATCHES
  }

  /** Which scores are kept. */
  public enum Choice {
    /** The highest. */
    @JsonProperty("top")
    TOP,
    /** The lowest. */
    @JsonProperty("bottom")
    BOTTOM
  }

  /** What the student learns from the teacher. */
  public enum Kind {
    /** Divergence of its distribution from the teacher's. */
    @JsonProperty("soft")
    SOFT,
    /** Cross-entropy with the teacher's strongest class. */
    @JsonProperty("hard")
    HARD,
    /** Nothing: there is no teacher. */
    @JsonProperty("none")
    NONE
  }

  /** What becomes of an image that cannot be decoded. */
  public enum OnCorrupt {
    @JsonProperty("fail")
    FAIL,
    @JsonProperty("skip")
    SKIP
  }

  /** How a training image is cut. */
  public enum Crop {
    @JsonProperty("center")
    CENTER,
    @JsonProperty("random-resized")
    RANDOM_RESIZED,
    @JsonProperty("pad")
    PAD
  }

  /** The model that learns. */
  public record Student(
      String model,
      String init,
      Precision precision,
      int threads,
      double dropPath,
      boolean recompute,
      Trained train,
      List<Double> mean,
      List<Double> std,
      String address,
      int retrySeconds,
      int silenceSeconds) {}

  /** The frozen model, and the processes that hold it. */
  public record Teacher(
      String model,
      String weights,
      Precision precision,
      TeacherImage image,
      int merge,
      int threads,
      int replicas,
      List<Double> mean,
      List<Double> std,
      List<String> addresses,
      int retrySeconds,
      double resolveSeconds,
      double firstAnswerSeconds,
      double deadlineFactor,
      double leastDeadlineSeconds,
      double hedgeFraction) {}

  /** Which patches the teacher sees, or the student. */
  public record Masking(
      Who who,
      double keep,
      double keepEnd,
      Criterion criterion,
      Row row,
      int layer,
      Choice order,
      double randomShare,
      String model,
      String weights) {

    /**
     * The share that is kept in an epoch.
     *
     * @param epoch from 0 on
     * @param epochs of the run
     */
    @JsonIgnore
    public double keepIn(int epoch, int epochs) {
      if (keepEnd == 0 || epoch == 0) {
        return keep;
      }
      if (epoch == epochs - 1) {
        return keepEnd;
      }
      // Rounding must not lead beyond 1.
      return Math.min(1, keep + (keepEnd - keep) * epoch / (epochs - 1));
    }

    /** The share of its patches that the teacher sees in the first epoch. */
    @JsonIgnore
    double teachersKeep() {
      return who == Who.STUDENT ? 1 : keep;
    }

    /** The share of its patches that the teacher sees in an epoch. */
    double teachersKeepIn(int epoch, int epochs) {
      return who == Who.STUDENT ? 1 : keepIn(epoch, epochs);
    }

    /** Whether the teacher sees every patch in every epoch. */
    @JsonIgnore
    boolean teacherSeesAll() {
      return who == Who.STUDENT || keepsAll();
    }

    /** Whether every epoch keeps all patches. */
    @JsonIgnore
    boolean keepsAll() {
      return keep == 1 && (keepEnd == 0 || keepEnd == 1);
    }
  }

  /** Which of a distilled student's logits are compared with what. */
  public enum Heads {
    /** The mean of both heads with the target and the teacher, as an evaluation reads them. */
    @JsonProperty("mean")
    MEAN,
    /** The class head's with the target, the distillation head's with the teacher. */
    @JsonProperty("separate")
    SEPARATE
  }

  /** The loss. */
  public record Distillation(
      Kind kind,
      double alpha,
      double temperature,
      Heads heads,
      Manifold manifold,
      AttentionMaps attention) {}

  /** How patches relate to each other, in which the student is to be like the teacher. */
  public record Manifold(
      double weight,
      double patch,
      double sample,
      double random,
      int rows,
      int group,
      List<Integer> studentBlocks,
      List<Integer> teacherBlocks) {

    /** Whether images are related to each other, so that micro-batches must not cut a group. */
    @JsonIgnore
    boolean relatesImages() {
      return weight > 0 && (sample > 0 || random > 0);
    }
  }

  /** Where the class token looks, in which the student is to be like the teacher. */
  public record AttentionMaps(
      double weight, List<Integer> studentBlocks, List<Integer> teacherBlocks) {}

  /** The images. */
  public record Data(
      String root,
      String train,
      String eval,
      OnCorrupt onCorrupt,
      int workers,
      int trainLimit,
      int shuffleShards) {

    /** Kinds of sources that name a path. */
    private static final List<String> KINDS = List.of("cifar:", "idx:", "shards:");

    /** Where the training images are, {@code root} taken into account. */
    @JsonIgnore
    public String trainSource() {
      return under(root, train);
    }

    /** Where the evaluation images are, {@code root} taken into account. */
    @JsonIgnore
    public String evalSource() {
      return under(root, eval);
    }

    /** The same source with its path, if it has one that is relative, taken to be in a folder. */
    public static String under(String root, String source) {
      if (root.isEmpty() || source.isEmpty() || source.startsWith("generated:")) {
        return source;
      }
      String kind = KINDS.stream().filter(source::startsWith).findFirst().orElse("");
      return kind + Path.of(root).resolve(source.substring(kind.length()));
    }
  }

  /** What happens to training images on their way in. */
  public record Augmentation(
      String recipe,
      Crop crop,
      int padding,
      double scaleMin,
      double scaleMax,
      double ratioMin,
      double ratioMax,
      double flip,
      String randAugment,
      double colorJitter,
      int repeats,
      double mixup,
      double cutmix,
      double mixProbability,
      double cutmixShare,
      double erasing,
      double labelSmoothing,
      double evalCrop) {

    /** As the student is told. */
    @JsonIgnore
    public org.maskedkd.proto.v1.Augmentation toMessage() {
      return org.maskedkd.proto.v1.Augmentation.newBuilder()
          .setCrop(
              switch (crop) {
                case CENTER -> org.maskedkd.proto.v1.Augmentation.Crop.CROP_CENTER;
                case RANDOM_RESIZED -> org.maskedkd.proto.v1.Augmentation.Crop.CROP_RANDOM_RESIZED;
                case PAD -> org.maskedkd.proto.v1.Augmentation.Crop.CROP_PAD;
              })
          .setPadding(padding)
          .setScaleMin(scaleMin)
          .setScaleMax(scaleMax)
          .setRatioMin(ratioMin)
          .setRatioMax(ratioMax)
          .setFlip(flip)
          .setRandAugment(randAugment)
          .setColorJitter(colorJitter)
          .setRepeats(repeats)
          .setMixupAlpha(mixup)
          .setCutmixAlpha(cutmix)
          .setMixProbability(mixProbability)
          .setCutmixShare(cutmixShare)
          .setErasing(erasing)
          .setLabelSmoothing(labelSmoothing)
          .setEvalCrop(evalCrop)
          .build();
    }
  }

  /** AdamW and its learning-rate curve. */
  public record Optimizer(
      double learningRate,
      double minLearningRate,
      double warmupEpochs,
      double warmupLearningRate,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay,
      double clipNorm,
      double layerDecay) {}

  /** The moving average of the weights. */
  public record Ema(double decay) {}

  /** How long, and how a step is cut. */
  public record Schedule(
      int epochs,
      int batch,
      MicroBatches microBatches,
      int window,
      Order order,
      int staleMasks,
      boolean profile) {}

  /** What is drawn of the run. */
  public record Timeline(int steps) {}

  /** What is recorded for the report alone. */
  public record Report(int images) {
    /** More make a report that no one reads. */
    static final int MOST_IMAGES = 64;
  }

  /** The files with which stages on ports are talked to; all empty for plaintext. */
  public record Tls(String certificate, String key, String authority) {}

  /** When and on what the student is measured. */
  public record Evaluation(int everyEpochs, int batch, int images, int teacherCheckImages) {}

  /** When the state is saved. */
  public record Checkpoint(int everySteps, int keep) {}

  /** Whether there is a teacher at all: one is named, and something is to be learned from it. */
  @JsonIgnore
  public boolean distils() {
    return distillation.kind() != Kind.NONE
        && !(teacher.model().isEmpty() && teacher.addresses().isEmpty());
  }

  /** The directory of this run, {@code runs-dir/name}. */
  @JsonIgnore
  public Path directory() {
    return Path.of(runsDir).resolve(name);
  }
}
