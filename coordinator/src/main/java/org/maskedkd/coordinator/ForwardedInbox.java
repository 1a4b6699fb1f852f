package org.maskedkd.coordinator;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Offered;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

/**
 * Puts the student's frames together and checks what they hold before anything of it is relayed.
 */
final class ForwardedInbox {

  private static final Set<String> RELAYED = Set.of("kept_indices", "kept_patches");

  private final int classes;
  private final @Nullable Grid teacherGrid;
  private final Features features;
  private final boolean separateHeads;
  private final int merge;
  private final Map<MicroBatchKey, TensorFrames.Assembler> forwarded = new HashMap<>();
  private final Map<MicroBatchKey, TensorFrames.Assembler> offered = new HashMap<>();

  /**
   * @param teacherGrid null without teachers
   * @param features what teachers are asked for beside their logits, in training
   * @param merge tokens that each block of the teachers merges, which they are told with the
   *     patches
   * @param separateHeads whether the student's heads have losses of their own
   */
  ForwardedInbox(
      int classes,
      @Nullable Grid teacherGrid,
      Features features,
      int merge,
      boolean separateHeads) {
    this.classes = classes;
    this.teacherGrid = teacherGrid;
    this.features = features;
    this.merge = merge;
    this.separateHeads = separateHeads;
  }

  /** Forgets what is half there. */
  void clear() {
    forwarded.clear();
    offered.clear();
  }

  /**
   * Takes a frame of a forward.
   *
   * @param mostSamples samples that the micro-batch may have
   * @param withPatches whether its patches come with it
   * @return the micro-batch when this was its last frame, else null
   */
  @Nullable ForwardedBatch add(Forwarded frame, int mostSamples, boolean withPatches) {
    MicroBatchKey key = frame.getKey();
    return checked(
        key,
        () -> {
          TensorFrames.Assembler assembler = assembler(forwarded, key, mostSamples);
          frame.getTensorsList().forEach(assembler::add);
          if (!frame.getLast()) {
            return null;
          }
          forwarded.remove(key);
          return finish(key, assembler, mostSamples, withPatches && teacherGrid != null);
        });
  }

  /**
   * Takes a frame of patches that go before their forward.
   *
   * @param samples of the micro-batch
   * @return the work when this was its last frame, else null
   */
  @Nullable MaskedWork add(Offered frame, int samples) {
    MicroBatchKey key = frame.getKey();
    return checked(
        key,
        () -> {
          TensorFrames.Assembler assembler = assembler(offered, key, samples);
          frame.getTensorsList().forEach(assembler::add);
          if (!frame.getLast()) {
            return null;
          }
          offered.remove(key);
          return work(key, samples, assembler, assembler.finish());
        });
  }

  private TensorFrames.Assembler assembler(
      Map<MicroBatchKey, TensorFrames.Assembler> arriving, MicroBatchKey key, int mostSamples) {
    return arriving.computeIfAbsent(
        key, k -> new TensorFrames.Assembler(mostSamples * bytesPerSample()));
  }

  private static <T extends @Nullable Object> T checked(MicroBatchKey key, Supplier<T> frame) {
    try {
      return frame.get();
    } catch (IllegalArgumentException e) {
      throw new RunException(
          ExitCode.INTERNAL,
          "the student sent " + Keys.describe(key) + " wrongly: " + e.getMessage(),
          e);
    }
  }

  private long bytesPerSample() {
    long scores = (separateHeads ? 3L : 2L) * classes * Float.BYTES;
    return teacherGrid == null
        ? scores
        : scores + (long) patches(teacherGrid) * (Integer.BYTES + patchBytes(teacherGrid));
  }

  private ForwardedBatch finish(
      MicroBatchKey key, TensorFrames.Assembler assembler, int mostSamples, boolean withPatches) {
    Map<String, TensorFrames.NamedTensor> tensors = assembler.finish();
    int samples = (int) Tensors.required(tensors, "logits", -1, classes).shape()[0];
    if (samples < 1 || samples > mostSamples) {
      throw new IllegalArgumentException(
          "it has " + samples + " samples, expected 1 to " + mostSamples);
    }
    StudentLogits logits =
        new StudentLogits(
            Tensors.floats(tensors, "logits", samples, classes),
            separateHeads && training(key)
                ? Tensors.floats(tensors, "distillation_logits", samples, classes)
                : null);
    float[] target = Tensors.floats(tensors, "target", samples, classes);
    return new ForwardedBatch(
        key, samples, logits, target, withPatches ? work(key, samples, assembler, tensors) : null);
  }

  /** Not of a probe, which asks how good the teachers are. */
  private static boolean training(MicroBatchKey key) {
    return key.getStep() > 0;
  }

  private MaskedWork work(
      MicroBatchKey key,
      int samples,
      TensorFrames.Assembler assembler,
      Map<String, TensorFrames.NamedTensor> tensors) {
    if (teacherGrid == null) {
      throw new IllegalArgumentException("it has patches, but the run has no teacher");
    }
    long kept = Tensors.required(tensors, "kept_indices", samples, -1).shape()[1];
    if (kept < 1 || kept > patches(teacherGrid)) {
      throw new IllegalArgumentException(
          "it keeps " + kept + " patches, expected 1 to " + patches(teacherGrid));
    }
    TensorFrames.require(tensors, "kept_indices", DType.DTYPE_INT32, samples, kept);
    TensorFrames.require(
        tensors, "kept_patches", DType.DTYPE_UINT8, samples, kept, patchBytes(teacherGrid));
    return new MaskedWork(key, samples, (int) kept, relay(key, assembler));
  }

  /** The frames for the teacher, their bytes untouched. */
  private List<MaskedMicroBatch> relay(MicroBatchKey key, TensorFrames.Assembler assembler) {
    List<Tensor> frames =
        assembler.frames().stream().filter(f -> RELAYED.contains(f.getName())).toList();
    List<MaskedMicroBatch> messages = new ArrayList<>();
    List<List<Tensor>> groups = TensorFrames.cut(frames);
    Features asked = training(key) ? features : Features.getDefaultInstance();
    for (int i = 0; i < groups.size(); i++) {
      messages.add(
          MaskedMicroBatch.newBuilder()
              .setKey(key)
              .setFeatures(asked)
              .setMerge(merge)
              .addAllTensors(groups.get(i))
              .setLast(i == groups.size() - 1)
              .build());
    }
    return messages;
  }

  static int patches(Grid grid) {
    return (grid.getImageHeight() / grid.getPatch()) * (grid.getImageWidth() / grid.getPatch());
  }

  static int patchBytes(Grid grid) {
    return grid.getChannels() * grid.getPatch() * grid.getPatch();
  }
}
