package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.stream.LongStream;
import org.maskedkd.data.Batch;
import org.maskedkd.data.DataException;
import org.maskedkd.data.EvalBatches;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.OnCorrupt;
import org.maskedkd.data.Prefetcher;
import org.maskedkd.data.SourceOptions;
import org.maskedkd.data.Subset;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.DataSpec;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.vit.ModelConfig;

/** The run's images: training batches prepared ahead, and evaluation batches. */
final class RunData implements AutoCloseable {
  // The running step's batch is taken; one more is ready when it ends, and one is in the making.
  private static final int BATCHES_AHEAD = 2;

  private final ImageSource train;
  private final ImageSource eval;
  private final Prefetcher prefetcher;
  private final SourceOptions sourceOptions;
  private final long seed;
  private final int size;
  private final int second;
  private final int workers;
  private final double evalCrop;

  private RunData(
      OpenStudent spec,
      ModelConfig config,
      ImageSource train,
      ImageSource eval,
      SourceOptions options,
      Turns turns) {
    this.train = train;
    this.eval = eval;
    this.sourceOptions = options;
    this.seed = spec.getSeed();
    this.size = config.imageHeight();
    this.second = second(spec, config);
    this.workers = Math.max(1, spec.getData().getWorkers());
    this.evalCrop = Augmenting.evalCrop(spec.getAugmentation(), size);
    this.prefetcher =
        new Prefetcher(
            new TrainBatches(
                train,
                spec.getBatch(),
                size,
                second,
                Augmenting.of(spec.getAugmentation(), size),
                config.meanValues(),
                config.stdValues(),
                spec.getData().getShuffleShards(),
                seed),
            workers,
            BATCHES_AHEAD,
            turns);
  }

  /**
   * Opens both sets.
   *
   * @throws DataException if one is missing, damaged, too small, or their classes differ
   */
  static RunData open(OpenStudent spec, ModelConfig config, Path dataRoot, Turns turns) {
    if (config.imageHeight() != config.imageWidth()) {
      throw new IllegalArgumentException(
          "training needs a square image, %s has %dx%d"
              .formatted(config.canonical(), config.imageHeight(), config.imageWidth()));
    }
    DataSpec data = spec.getData();
    SourceOptions options =
        SourceOptions.defaults()
            .withOnCorrupt(
                data.getOnCorrupt() == DataSpec.OnCorrupt.ON_CORRUPT_SKIP
                    ? OnCorrupt.SKIP
                    : OnCorrupt.FAIL);
    ImageSource train =
        Subset.balanced(
            ImageSource.open(data.getTrain(), dataRoot, options),
            data.getTrainLimit(),
            spec.getSeed());
    try {
      ImageSource eval = ImageSource.open(data.getEval(), dataRoot, options);
      try {
        ImageSource.requireSameClasses(train, eval);
        return new RunData(spec, config, train, eval, options, turns);
      } catch (RuntimeException e) {
        eval.close();
        throw e;
      }
    } catch (RuntimeException e) {
      train.close();
      throw e;
    }
  }

  /**
   * Size in pixels of the images that the teacher gets beside the student's; 0 if it sees these, or
   * theirs resampled.
   */
  static int second(OpenStudent spec, ModelConfig student) {
    Grid grid = spec.getTeacherGrid();
    boolean own =
        spec.getTeacherImageNative()
            && spec.hasTeacherGrid()
            && grid.getImageHeight() != student.imageHeight();
    return own ? grid.getImageHeight() : 0;
  }

  int second() {
    return second;
  }

  /** Images {@code [from, to)} of a batch: uint8 {@code [to-from, 3, size, size]}, a view. */
  static ByteBuffer images(Batch batch, int from, int to) {
    int perImage = batch.images().length / batch.count();
    return ByteBuffer.wrap(batch.images(), from * perImage, (to - from) * perImage).slice();
  }

  /** Targets of images {@code [from, to)}: {@code [to-from, classes]}. */
  static float[] targets(Batch batch, int from, int to) {
    return Arrays.copyOfRange(batch.targets(), from * batch.classes(), to * batch.classes());
  }

  /** Training images so far that others stand in for. */
  long skippedImages() {
    return train.skipped();
  }

  /** CPU time spent on training batches so far. */
  long cpuNanos() {
    return prefetcher.cpuNanos();
  }

  /** Batch {@code step}, waiting for it if it is not ready. */
  Batch take(long step) throws InterruptedException {
    return prefetcher.take(step);
  }

  /**
   * Evaluation images in a fixed order, decoded ahead; close it after use.
   *
   * @param images the first so many of a seeded choice that is balanced over the classes; 0 for all
   */
  EvaluationPass evaluation(int images, int batch) {
    return evaluation(images, batch, /* second= */ 0);
  }

  /** The same with what the teacher gets. */
  EvaluationPass evaluationForTeachers(int images, int batch) {
    return evaluation(images, batch, second);
  }

  private EvaluationPass evaluation(int images, int batch, int second) {
    // The subset would close what it stands on, and the evaluation set outlives this pass.
    ImageSource source = images == 0 ? eval : Subset.balanced(new Borrowed(eval), images, seed);
    return new EvaluationPass(new EvalBatches(source, batch, size, second, evalCrop), workers);
  }

  /** One walk over evaluation images. */
  static final class EvaluationPass implements AutoCloseable, Iterable<Batch> {
    private final Prefetcher ahead;
    private final long steps;

    private EvaluationPass(EvalBatches batches, int workers) {
      this.ahead = new Prefetcher(batches, workers, BATCHES_AHEAD, Turns.always());
      this.steps = batches.steps();
    }

    @Override
    public Iterator<Batch> iterator() {
      return LongStream.rangeClosed(1, steps).mapToObj(this::take).iterator();
    }

    private Batch take(long step) {
      try {
        return ahead.take(step);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted while waiting for evaluation images", e);
      }
    }

    @Override
    public void close() {
      ahead.close();
    }
  }

  /** Share of the resized image that an evaluation's centre crop keeps. */
  double evalCrop() {
    return evalCrop;
  }

  List<String> classes() {
    return train.classes();
  }

  int trainImages() {
    return train.size();
  }

  int evalImages() {
    return eval.size();
  }

  /** SHA-256 over both sets' own fingerprints, hexadecimal. */
  String fingerprint() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(train.fingerprint().getBytes(StandardCharsets.UTF_8));
      digest.update(eval.fingerprint().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java runtime has SHA-256", e);
    }
  }

  String decoder() {
    return sourceOptions.decoder().name();
  }

  @Override
  public void close() {
    prefetcher.close();
    train.close();
    eval.close();
  }
}
