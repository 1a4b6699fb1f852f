package org.maskedkd.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.vit.DropPath;
import org.maskedkd.vit.VitConfig;

/** One step's forwards and backwards on the student's device, and what they add up to. */
final class TrainingStep implements StepInterpreter.Device, AutoCloseable {
  private final StepPlan plan;
  private final Batch batch;
  private final StudentForward forward;
  private final @Nullable TeacherView teacherView;
  private final Inbox inbox;
  private final Consumer<Forwarded> send;
  private final long seed;
  private final double dropPath;

  /** Logits whose graphs still hold their activations, by micro-batch. */
  private final @Nullable NDArray[] held;

  private final List<Span> spans = new ArrayList<>();
  private final LossParts.Builder loss = LossParts.newBuilder();

  TrainingStep(
      StepPlan plan,
      Batch batch,
      StudentForward forward,
      @Nullable TeacherView teacherView,
      Inbox inbox,
      Consumer<Forwarded> send,
      long seed,
      double dropPath) {
    this.plan = plan;
    this.batch = batch;
    this.forward = forward;
    this.teacherView = teacherView;
    this.inbox = inbox;
    this.send = send;
    this.seed = seed;
    this.dropPath = dropPath;
    this.held = new NDArray[plan.getMicroBatchSizesCount()];
  }

  @Override
  public void forward(int index, int from, int to) {
    long start = System.nanoTime();
    VitConfig config = forward.config();
    int count = to - from;
    ByteBuffer images = RunData.images(batch, from, to);
    float[] @Nullable [] drops =
        DropPath.scales(seed, plan.getStep(), from, count, config, dropPath);
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      boolean attention = teacherView != null && teacherView.needsAttention(plan.getKeep());
      StudentForward.Result result = forward.run(scope, images, count, drops, attention);
      TeacherView.@Nullable Kept kept =
          teacherView == null
              ? null
              : teacherView.choose(
                  images, count, result.saliency(), plan.getKeep(), plan.getStep(), from);
      float[] logits = Tensors.floats(result.logits());
      held[index] = scope.keep(result.logits());
      long end = System.nanoTime();
      spans.add(span("forward", index, start, end));
      MicroBatchMessages.forwarded(
              plan.getRun(),
              plan.getAttempt(),
              plan.getStep(),
              index,
              logits,
              RunData.targets(batch, from, to),
              count,
              kept)
          .forEach(send);
    }
  }

  @Override
  public void awaitGradient(int index) throws StepAbandonedException, InterruptedException {
    inbox.await(index);
  }

  @Override
  public void backward(int index) throws StepAbandonedException, InterruptedException {
    Inbox.Gradient gradient = inbox.await(index);
    long start = System.nanoTime();
    NDArray logits = held[index];
    if (logits == null) {
      throw new IllegalStateException(
          "micro-batch "
              + index
              + " of step "
              + plan.getStep()
              + " has no forward to go back over");
    }
    long[] shape = logits.getShape().getShape();
    MicroBatchMessages.requireGradientShape(gradient.logitsGradient(), shape, plan, index);
    try (GradMode on = GradMode.on();
        Scope scope = Scope.open()) {
      NDArray cotangent =
          Tensors.fromBytes(
              scope.manager(), gradient.logitsGradient().bytes(), DataType.FLOAT32, shape);
      Gradients.backward(logits, cotangent);
    }
    logits.close();
    held[index] = null;
    LossParts parts = gradient.loss();
    loss.setTotal(loss.getTotal() + parts.getTotal())
        .setBase(loss.getBase() + parts.getBase())
        .setDistillation(loss.getDistillation() + parts.getDistillation())
        .setStudentCorrect(loss.getStudentCorrect() + parts.getStudentCorrect())
        .setTeacherCorrect(loss.getTeacherCorrect() + parts.getTeacherCorrect());
    spans.add(span("backward", index, start, System.nanoTime()));
  }

  void optimized(long start, long end) {
    spans.add(span("optimizer", 0, start, end));
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
        .build();
  }

  private static Span span(String operation, int index, long start, long end) {
    return Span.newBuilder()
        .setOperation(operation)
        .setIndex(index)
        .setStartNanos(start)
        .setEndNanos(end)
        .build();
  }

  /** Frees the activations of micro-batches that never saw their backward. */
  @Override
  public void close() {
    for (int i = 0; i < held.length; i++) {
      NDArray logits = held[i];
      if (logits != null) {
        logits.close();
        held[i] = null;
      }
    }
  }
}
