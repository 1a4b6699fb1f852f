package org.maskedkd.student;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.runtime.TaskTimer;
import org.maskedkd.vit.DropPath;
import org.maskedkd.vit.ModelConfig;

/** One step's forwards and backwards on the student's device, and what they add up to. */
final class TrainingStep implements StepInterpreter.Device, AutoCloseable {
  private final StepPlan plan;
  private final Batch batch;
  private final StudentDevice device;
  private final ModelConfig config;
  private final @Nullable TeacherView teacherView;
  private final LookAhead ahead;
  private final Inbox inbox;
  private final Consumer<StudentEvent> send;
  private final long seed;
  private final double dropPath;
  private final IntConsumer heldSamples;
  private int heldCount;

  /** What still waits for its backward, by micro-batch. */
  private final StudentDevice.@Nullable Activations[] held;

  /** Where features are compared: which patches the teachers got, by micro-batch. */
  private final Map<Integer, int[]> keptIndices = new HashMap<>();

  /** Micro-batches whose patches went before their forward. */
  private final BitSet offered = new BitSet();

  private final List<Span> spans = new ArrayList<>();
  private final MaskAgreement agreement = new MaskAgreement();
  private long dataWaitNanos;
  private final LossParts.Builder loss = LossParts.newBuilder();

  /**
   * @param heldSamples is told, whenever it changes, how many samples' activations are held
   */
  TrainingStep(
      StepPlan plan,
      Batch batch,
      StudentDevice device,
      ModelConfig config,
      @Nullable TeacherView teacherView,
      LookAhead ahead,
      Inbox inbox,
      Consumer<StudentEvent> send,
      long seed,
      double dropPath,
      IntConsumer heldSamples) {
    this.plan = plan;
    this.batch = batch;
    this.device = device;
    this.config = config;
    this.teacherView = teacherView;
    this.ahead = ahead;
    this.inbox = inbox;
    this.send = send;
    this.seed = seed;
    this.dropPath = dropPath;
    this.heldSamples = heldSamples;
    this.held = new StudentDevice.Activations[plan.getMicroBatchSizesCount()];
  }

  @Override
  public void offer(int index, int from, int to) {
    if (teacherView == null || teacherView.needsAttention(plan.getKeep())) {
      throw new IllegalArgumentException(
          "step %d offers patches before the forward, but which ones the forward decides; that needs keep 1, who student, or another criterion than student"
              .formatted(plan.getStep()));
    }
    int count = to - from;
    TeacherView.Kept kept =
        teacherView.choose(
            TeacherView.Images.of(batch, from, to),
            count,
            new float[0][],
            plan.getKeep(),
            plan.getStep(),
            from);
    offered.set(index);
    remember(index, kept.indices());
    MicroBatchMessages.offered(key(plan.getStep(), index), kept).forEach(send);
  }

  @Override
  public void lookAhead(int index, int from, int to) throws InterruptedException {
    if (teacherView == null || !teacherView.mayLookAhead(plan.getKeep())) {
      throw new IllegalArgumentException(
          "step %d looks ahead for masks, which is of use only where the student's attention chooses for the teacher alone: criterion student, who teacher and keep below 1, found keep %s"
              .formatted(plan.getStep(), plan.getKeep()));
    }
    long asked = System.nanoTime();
    Batch next = ahead.after(plan.getStep());
    dataWaitNanos += System.nanoTime() - asked;
    TaskTimer timer = timer();
    long step = plan.getStep() + 1;
    int count = to - from;
    ByteBuffer images = RunData.images(next, from, to);
    // What the next step will drop, so that the weights alone make a difference.
    float[] @Nullable [] drops = DropPath.scales(seed, step, from, count, config, dropPath);
    TeacherView.Kept kept =
        teacherView.choose(
            TeacherView.Images.of(next, from, to),
            count,
            device.saliency(images, count, drops),
            plan.getKeep(),
            step,
            from);
    ahead.handedOver(plan, index, kept.indices());
    spans.add(timer.stop("look-ahead", index));
    MicroBatchMessages.offered(key(step, index), kept).forEach(send);
  }

  private MicroBatchKey key(long step, int index) {
    return MicroBatchKey.newBuilder()
        .setRun(plan.getRun())
        .setAttempt(plan.getAttempt())
        .setStep(step)
        .setIndex(index)
        .build();
  }

  @Override
  public void forward(int index, int from, int to) {
    int count = to - from;
    ByteBuffer images = RunData.images(batch, from, to);
    float[] @Nullable [] drops =
        DropPath.scales(seed, plan.getStep(), from, count, config, dropPath);
    PatchChoice.@Nullable StudentMask mask = mask(index, images, count, drops, from);
    TaskTimer timer = timer();
    boolean attention =
        mask == null && teacherView != null && teacherView.needsAttention(plan.getKeep());
    StudentDevice.Activations activations =
        device.forward(images, count, mask == null ? null : mask.kept(), drops, attention);
    held[index] = activations;
    holds(count);
    TeacherView.@Nullable Kept kept = null;
    if (teacherView != null && index < plan.getStaleMicroBatches()) {
      int[] fresh =
          teacherView.indices(count, activations.saliency(), plan.getKeep(), plan.getStep(), from);
      int[] stale = ahead.of(plan, index, fresh.length);
      remember(index, stale);
      agreement.add(stale, fresh, count);
    } else if (teacherView != null && !offered.get(index)) {
      TeacherView.Images both = TeacherView.Images.of(batch, from, to);
      kept =
          mask == null
              ? teacherView.choose(
                  both, count, activations.saliency(), plan.getKeep(), plan.getStep(), from)
              : teacherView.byScores(
                  both, count, mask.scores(), plan.getKeep(), plan.getStep(), from);
      remember(index, kept.indices());
    }
    float[] logits = activations.logits();
    float[] distillationLogits = activations.distillationLogits();
    spans.add(timer.stop("forward", index));
    MicroBatchMessages.forwarded(
            key(plan.getStep(), index),
            logits,
            distillationLogits,
            RunData.targets(batch, from, to),
            count,
            kept)
        .forEach(send);
  }

  private void holds(int samples) {
    heldCount += samples;
    heldSamples.accept(heldCount);
  }

  private void remember(int index, int[] kept) {
    if (device.objective().comparesFeatures()) {
      keptIndices.put(index, kept);
    }
  }

  /** Chooses what the student itself is given; null where that is whole images. */
  private PatchChoice.@Nullable StudentMask mask(
      int index, ByteBuffer images, int count, float @Nullable [][] drops, int from) {
    if (teacherView == null || !teacherView.choice().masksStudent(plan.getKeep())) {
      return null;
    }
    TaskTimer timer = timer();
    PatchChoice.StudentMask mask =
        teacherView
            .choice()
            .studentMask(
                images,
                count,
                () -> device.saliency(images, count, drops),
                plan.getKeep(),
                plan.getStep(),
                from);
    spans.add(timer.stop("choose", index));
    return mask;
  }

  @Override
  public void awaitGradient(int index) throws StepAbandonedException, InterruptedException {
    inbox.await(index);
  }

  @Override
  public void backward(int index) throws StepAbandonedException, InterruptedException {
    Inbox.Gradient gradient = inbox.take(index);
    TaskTimer timer = timer();
    StudentDevice.Activations activations = held[index];
    if (activations == null) {
      throw new IllegalStateException(
          "micro-batch "
              + index
              + " of step "
              + plan.getStep()
              + " has no forward to go back over");
    }
    FeatureLoss.Sums compared = activations.backward(signal(index, gradient));
    activations.close();
    held[index] = null;
    holds(-plan.getMicroBatchSizes(index));
    LossParts parts = gradient.loss();
    loss.setTotal(loss.getTotal() + parts.getTotal() + compared.features())
        .setFeatures(loss.getFeatures() + compared.features())
        .setManifold(loss.getManifold() + compared.manifold())
        .setAttention(loss.getAttention() + compared.attention())
        .setBase(loss.getBase() + parts.getBase())
        .setDistillation(loss.getDistillation() + parts.getDistillation())
        .setStudentCorrect(loss.getStudentCorrect() + parts.getStudentCorrect())
        .setTeacherCorrect(loss.getTeacherCorrect() + parts.getTeacherCorrect());
    spans.add(timer.stop("backward", index));
  }

  private BackwardSignal signal(int index, Inbox.Gradient gradient) throws StepAbandonedException {
    int first = plan.getMicroBatchSizesList().subList(0, index).stream().mapToInt(n -> n).sum();
    FeatureLoss.Place place =
        new FeatureLoss.Place(plan.getStep(), first, plan.getMicroBatchSizes(index), batch.count());
    int[] kept = keptIndices.getOrDefault(index, new int[0]);
    try {
      return MicroBatchMessages.signal(gradient, config.classes(), device.objective(), kept, place);
    } catch (IllegalArgumentException e) {
      throw new StepAbandonedException(
          "Backward of micro-batch %d, step %d: %s"
              .formatted(index, plan.getStep(), e.getMessage()));
    }
  }

  /**
   * Updates the weights.
   *
   * @return the gradient's norm; if it is not finite, the weights were not touched
   */
  double optimize() {
    TaskTimer timer = timer();
    double norm = device.optimize(plan.getLearningRate());
    spans.add(timer.stop("optimizer", 0));
    return norm;
  }

  private TaskTimer timer() {
    return new TaskTimer(device.onCallingThread());
  }

  /** What waiting for the next step's batch took. */
  long dataWaitNanos() {
    return dataWaitNanos;
  }

  /** Of the micro-batches whose patches the step before handed over. */
  MaskAgreement agreement() {
    return agreement;
  }

  List<Span> spans() {
    return spans;
  }

  /** Means over the batch; the counts stay sums. */
  LossParts meanLoss() {
    int images = batch.count();
    return loss.clone()
        .setTotal(loss.getTotal() / images)
        .setBase(loss.getBase() / images)
        .setDistillation(loss.getDistillation() / images)
        .setFeatures(loss.getFeatures() / images)
        .setManifold(loss.getManifold() / images)
        .setAttention(loss.getAttention() / images)
        .build();
  }

  /** Frees the activations of micro-batches that never saw their backward. */
  @Override
  public void close() {
    for (int i = 0; i < held.length; i++) {
      StudentDevice.Activations activations = held[i];
      if (activations != null) {
        activations.close();
        held[i] = null;
      }
    }
    holds(-heldCount);
  }
}
