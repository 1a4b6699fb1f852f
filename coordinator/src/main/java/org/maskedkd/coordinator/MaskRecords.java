package org.maskedkd.coordinator;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.TensorFrames;

/**
 * Writes down which patches of a few evaluation images the teacher would see while the student
 * learns (Fig. 4, 5 and 7 of the paper): {@code masks.jsonl}, and the images once as {@code
 * masks.png}. A probe asks the student, which trains nothing and draws nothing that training draws.
 * Event loop only, between steps.
 */
final class MaskRecords {

  static final String IMAGES = "masks.png";

  /** Of probes; the two before it are the teacher check's. */
  private static final int ATTEMPT = 3;

  private final RunConfig config;
  private final Stages stages;
  private final RunDirectory directory;
  private final @Nullable Grid grid;
  private final int images;

  MaskRecords(RunConfig config, Stages stages, RunDirectory directory) {
    this.config = config;
    this.stages = stages;
    this.directory = directory;
    this.grid = stages.teacher() == null ? null : stages.teacher().getGrid();
    int wanted = config.report().images();
    List<MaskLine> before = directory.masks();
    // The lines before and the picture are of so many, whatever is wanted by now.
    this.images =
        wanted == 0 || before.isEmpty()
            ? (int) Math.min(wanted, stages.opened().getEvalImages())
            : before.get(0).kept().size();
  }

  /** The masks of the student as it was initialised. */
  void beforeTraining() {
    record(0, null);
  }

  /**
   * The masks after a step, unless they are known; nothing where the teacher sees every patch.
   *
   * @param epoch that it ends, null before the first step
   */
  void record(long step, @Nullable Integer epoch) {
    RunConfig.Masking masking = config.masking();
    if (grid == null || images == 0 || masking.teacherSeesAll()) {
      return;
    }
    if (step == 0 || !directory.has(IMAGES)) {
      directory.replace(IMAGES, new MaskImages(grid).toPng(probe(grid, 1)));
    }
    if (directory.masks().stream().anyMatch(line -> line.step() == step)) {
      return;
    }
    double keep = masking.keepIn(epoch == null ? 0 : epoch, config.schedule().epochs());
    List<List<Integer>> kept = new ArrayList<>();
    for (Sample sample : probe(grid, keep)) {
      kept.add(Arrays.stream(sample.kept()).boxed().toList());
    }
    int rows = grid.getImageHeight() / grid.getPatch();
    int columns = grid.getImageWidth() / grid.getPatch();
    directory.add(new MaskLine(step, epoch, keep, rows, columns, kept));
  }

  /**
   * What a teacher would get of an image.
   *
   * @param kept ascending
   * @param patches uint8 {@code [kept, channels*patch*patch]}
   */
  // The array is handed on, never compared.
  @SuppressWarnings("ArrayRecordComponent")
  record Sample(int[] kept, ByteBuffer patches) {}

  private List<Sample> probe(Grid grid, double keep) {
    Probe probe =
        Probe.newBuilder()
            .setRun(config.name())
            .setAttempt(ATTEMPT)
            .setImages(images)
            .setMicroBatch(Math.min(images, Planner.largest(config.schedule())))
            .setKeep(keep)
            .build();
    List<Sample> samples = new ArrayList<>();
    ProbePass.run(
        stages.student(),
        stages.inbox(),
        probe,
        "the record of the masks",
        micro -> {
          MaskedWork work = micro.work();
          if (work != null) {
            samples.addAll(samples(grid, work));
          }
        });
    if (samples.size() != images) {
      throw wrong("%d images for %d".formatted(samples.size(), images));
    }
    return samples;
  }

  private List<Sample> samples(Grid grid, MaskedWork work) {
    int patches = ForwardedInbox.patches(grid);
    long bytes = (long) work.samples() * patches * ForwardedInbox.patchBytes(grid);
    TensorFrames.Assembler assembler =
        new TensorFrames.Assembler(bytes + (long) work.samples() * patches * Integer.BYTES);
    for (MaskedMicroBatch frame : work.frames()) {
      frame.getTensorsList().forEach(assembler::add);
    }
    Map<String, TensorFrames.NamedTensor> tensors = assembler.finish();
    int[] indices = Tensors.required(tensors, "kept_indices", work.samples(), -1).ints();
    // Sliced, because it may begin anywhere in the message that it came in.
    ByteBuffer all =
        Tensors.required(tensors, "kept_patches", work.samples(), -1, -1).bytes().slice();
    int kept = indices.length / work.samples();
    int each = kept * ForwardedInbox.patchBytes(grid);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < work.samples(); i++) {
      int[] own = Arrays.copyOfRange(indices, i * kept, (i + 1) * kept);
      for (int k = 0; k < kept; k++) {
        if (own[k] < (k == 0 ? 0 : own[k - 1] + 1) || own[k] >= patches) {
          throw wrong(
              "the patches %s, expected ascending ones below %d"
                  .formatted(Arrays.toString(own), patches));
        }
      }
      samples.add(new Sample(own, all.slice(i * each, each)));
    }
    return samples;
  }

  private RunException wrong(String what) {
    return new RunException(
        ExitCode.INTERNAL, stages.student().name() + " sent in a record of the masks " + what);
  }
}
