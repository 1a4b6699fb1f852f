package org.maskedkd.student;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.Export;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Operation;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.Restore;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.WeightsChoice;
import org.maskedkd.runtime.Quote;
import org.maskedkd.tensor.ProcessMemory;
import org.maskedkd.vit.Footprint;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;

/**
 * Looks at a command before anything of it is carried out, so that one that is refused leaves the
 * run as it was.
 */
final class CommandCheck {
  private static final int MOST_FACTS = 64;
  private static final int MOST_REPEATS = 1000;
  private static final int MOST_PROFILED = 64;
  private static final int LONGEST_FILE = 100;

  private final OpenStudent spec;
  private final ModelConfig model;
  private final Objective objective;
  private final @Nullable TeacherView view;
  private final int evalImages;

  /**
   * @param model with the data's classes
   * @param view null without teachers
   */
  CommandCheck(
      OpenStudent spec,
      ModelConfig model,
      Objective objective,
      @Nullable TeacherView view,
      int evalImages) {
    this.spec = spec;
    this.model = model;
    this.objective = objective;
    this.view = view;
    this.evalImages = evalImages;
  }

  /**
   * @throws IllegalArgumentException naming what was expected and what was found
   */
  void check(StudentCommand command) {
    switch (command.getCommandCase()) {
      case PLAN -> plan(command.getPlan());
      case PROBE -> probe(command.getProbe());
      case EVALUATE -> evaluate(command.getEvaluate());
      case CHECKPOINT -> checkpoint(command.getCheckpoint());
      case RESTORE -> restore(command.getRestore());
      case EXPORT -> export(command.getExport());
      case PROFILE -> profile(command.getProfile());
      case BACKWARD, COMMAND_NOT_SET ->
          throw new IllegalStateException(command.getCommandCase() + " is not a queued command");
    }
  }

  private void plan(StepPlan plan) {
    if (!plan.getRun().equals(spec.getRun())) {
      throw new IllegalArgumentException(
          "the plan is of run %s, but this student was opened for run '%s'"
              .formatted(Quote.of(plan.getRun()), spec.getRun()));
    }
    String where = "step " + plan.getStep();
    int batch = spec.getBatch();
    sizes(where + ": micro-batch sizes", plan.getMicroBatchSizesList(), batch);
    sizes(where + ": sizes ahead", plan.getAheadSizesList(), batch);
    int end = 0;
    for (int size : plan.getMicroBatchSizesList()) {
      end += size;
      require(
          objective.mayEndAt(end),
          where + ": the end of a micro-batch",
          "a multiple of distillation.manifold.group, which is " + objective.manifold().getGroup(),
          end);
    }
    int micro = plan.getMicroBatchSizesCount();
    int ahead = plan.getAheadSizesCount();
    // An offer, a forward, a backward and a barrier for each, and a barrier at the end.
    require(
        plan.getActionsCount() <= 4L * micro + ahead + 1,
        where + ": the number of actions",
        "at most " + (4L * micro + ahead + 1),
        plan.getActionsCount());
    require(
        plan.getLearningRate() >= 0,
        where + ": learning_rate",
        "at least 0",
        plan.getLearningRate());
    if (view != null) {
      keep(where, plan.getKeep());
    }
    boolean attention = view != null && view.needsAttention(plan.getKeep());
    boolean mayLookAhead = view != null && view.mayLookAhead(plan.getKeep());
    for (org.maskedkd.proto.v1.Action action : plan.getActionsList()) {
      if (action.getOperation() == Operation.OPERATION_OFFER && (view == null || attention)) {
        throw new IllegalArgumentException(
            "step %d offers patches before the forward, but which ones the forward decides; that needs keep 1, who student, or another criterion than student"
                .formatted(plan.getStep()));
      }
      if (action.getOperation() == Operation.OPERATION_LOOK_AHEAD && !mayLookAhead) {
        throw new IllegalArgumentException(
            "step %d looks ahead for masks, which is of use only where the student's attention chooses for the teacher alone: criterion student, who teacher and keep below 1, found keep %s"
                .formatted(plan.getStep(), plan.getKeep()));
      }
    }
    if (plan.getStaleMicroBatches() > 0 && !mayLookAhead) {
      throw new IllegalArgumentException(
          "step %d has %d micro-batches with stale masks, but the student's attention does not choose for the teacher alone"
              .formatted(plan.getStep(), plan.getStaleMicroBatches()));
    }
    int largest =
        plan.getMicroBatchSizesList().stream().mapToInt(Integer::intValue).max().orElse(1);
    int held =
        spec.getStudent().getRecompute() ? largest : Math.min(batch, plan.getWindowSamples());
    long kept =
        spec.getStudent().getHeadOnly()
            ? Footprint.forward(model, largest)
            : Footprint.activations(model, held, given(plan.getKeep()));
    memory(where + ": a window of " + held + " images", kept);
    features(
        where + ": a window of " + plan.getWindowSamples() + " images",
        plan.getKeep(),
        Math.min(batch, plan.getWindowSamples()));
    patches(where, largest);
  }

  /** Of the Java heap, what the teachers' features may take while they wait. */
  static long mostFeatureBytes() {
    return Runtime.getRuntime().maxMemory() / 4;
  }

  private void features(String what, double keep, long images) {
    if (!objective.comparesFeatures()) {
      return;
    }
    long bytes = images * objective.bytesPerImage(PatchSelection.keepCount(keep, model.patches()));
    if (bytes > mostFeatureBytes()) {
      throw new IllegalArgumentException(
          "%s: the teachers' features that the objective compares would be %d bytes, and this student takes %d: choose a smaller schedule.window or fewer blocks, or start it with a larger -Xmx"
              .formatted(what, bytes, mostFeatureBytes()));
    }
  }

  /** Patches of an image that the student is given in training. */
  private int given(double keep) {
    return view == null ? model.patches() : view.choice().studentsKept(keep);
  }

  private static void sizes(String what, List<Integer> sizes, int batch) {
    long sum = 0;
    for (int size : sizes) {
      require(size >= 1 && size <= batch, what, "1 to the batch of " + batch, size);
      sum += size;
    }
    require(sum <= batch, what + " together", "at most the batch of " + batch, sum);
  }

  private static void keep(String where, double keep) {
    require(keep > 0 && keep <= 1, where + ": keep", "in (0, 1]", keep);
  }

  private void probe(Probe probe) {
    if (view == null) {
      throw new IllegalArgumentException("a probe needs a teacher's grid, and this run has none");
    }
    keep("a probe", probe.getKeep());
    images("a probe", probe.getImages());
    batch("a probe's micro_batch", probe.getMicroBatch());
    patches("a probe", probe.getMicroBatch());
    if (spec.getTeacherImageNative()) {
      int held = Math.min(probe.getMicroBatch(), Math.max(1, evalImages));
      heap("a probe's images for the teachers", 4L * held * view.mostBytesPerImage());
    }
  }

  private void evaluate(Evaluate evaluate) {
    images("an evaluation", evaluate.getImages());
    batch("an evaluation's batch", evaluate.getBatch());
    boolean averaged = evaluate.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA;
    weights("an evaluation", averaged);
  }

  private void weights(String what, boolean averaged) {
    if (averaged && spec.getOptimization().getEmaDecay() == 0) {
      throw new IllegalArgumentException(
          what + " asks for averaged weights, of which this run keeps none: set ema.decay");
    }
  }

  private void images(String what, int images) {
    require(images <= evalImages, what + "'s images", "0 to " + evalImages, images);
  }

  private void batch(String what, int batch) {
    require(batch >= 1, what, "at least 1", batch);
    int images = Math.min(batch, Math.max(1, evalImages));
    memory(what + " of " + batch, Footprint.forward(model, images));
    heap(what + " of " + batch, 4L * images * 3 * model.imageHeight() * model.imageWidth());
  }

  private void patches(String what, int images) {
    if (view != null) {
      heap(what + ": patches of " + images + " images", images * view.mostBytesPerImage());
    }
  }

  private static void memory(String what, long bytes) {
    require(
        bytes <= ProcessMemory.machineBytes(),
        "the memory for " + what,
        "within the machine's " + ProcessMemory.machineBytes() + " bytes",
        "at least " + bytes);
  }

  private static void heap(String what, long bytes) {
    long heap = Runtime.getRuntime().maxMemory();
    require(
        bytes <= heap,
        "the memory for " + what,
        "within the Java heap of " + heap + " bytes",
        bytes);
  }

  private static void checkpoint(Checkpoint checkpoint) {
    facts("a checkpoint's provenance", checkpoint.getProvenanceMap());
  }

  private static void facts(String what, Map<String, String> facts) {
    require(facts.size() <= MOST_FACTS, what, "at most " + MOST_FACTS + " entries", facts.size());
  }

  private static void restore(Restore restore) {
    require(restore.getStep() >= 0, "the step to restore", "at least 0", restore.getStep());
  }

  private void export(Export export) {
    String file = export.getFile();
    if (!file.matches("[A-Za-z0-9][A-Za-z0-9._-]*\\.safetensors") || file.length() > LONGEST_FILE) {
      throw new IllegalArgumentException(
          "an export is a plain file name that ends in .safetensors, at most %d characters, found %s"
              .formatted(LONGEST_FILE, Quote.of(file)));
    }
    facts("an export's metadata", export.getMetadataMap());
    weights("an export", export.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA);
  }

  private void profile(Profile profile) {
    require(
        profile.getRepeats() >= 1 && profile.getRepeats() <= MOST_REPEATS,
        "a profile's repeats",
        "1 to " + MOST_REPEATS,
        profile.getRepeats());
    require(
        profile.getSizesCount() <= MOST_PROFILED,
        "the number of a profile's sizes",
        "at most " + MOST_PROFILED,
        profile.getSizesCount());
    if (view != null) {
      keep("a profile", profile.getKeep());
    }
    for (int size : profile.getSizesList()) {
      require(
          size >= 1 && size <= spec.getBatch(),
          "a profile's sizes",
          "1 to the batch of " + spec.getBatch(),
          size);
      memory(
          "a profile of " + size + " images",
          Footprint.activations(model, size, given(profile.getKeep())));
      patches("a profile", size);
      // Its blank features are there several times over.
      features("a profile of " + size + " images", profile.getKeep(), 4L * size);
    }
  }

  private static void require(boolean holds, String what, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "%s must be %s, found %s".formatted(what, expected, found));
    }
  }
}
