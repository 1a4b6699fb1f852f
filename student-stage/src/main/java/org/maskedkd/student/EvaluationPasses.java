package org.maskedkd.student;

import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.EvaluateProgress;
import org.maskedkd.proto.v1.Evaluated;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.ProbeDone;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.WeightsChoice;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

/** Passes over a run's evaluation images, which train nothing. On the training thread. */
final class EvaluationPasses {
  private final RunData data;
  private final Learner learner;
  private final StudentForward forward;
  private final @Nullable TeacherView teacherView;

  EvaluationPasses(
      RunData data, Learner learner, StudentForward forward, @Nullable TeacherView teacherView) {
    this.data = data;
    this.learner = learner;
    this.forward = forward;
    this.teacherView = teacherView;
  }

  /** Evaluation images with what a teacher would see of them; nothing is trained. */
  void probe(Probe probe, Inbox inbox, Outbox<StudentEvent> outbox)
      throws StepAbandonedException, InterruptedException {
    TeacherView view = Objects.requireNonNull(teacherView, "checked before");
    int index = 0;
    int images = 0;
    try (RunData.EvaluationPass pass =
        data.evaluationForTeachers(probe.getImages(), probe.getMicroBatch())) {
      for (Batch batch : pass) {
        requireOpen(inbox);
        // Nobody's gradient holds this back.
        outbox.awaitRoom(StudentService.MOST_UNREAD_BYTES);
        int count = batch.count();
        try (GradMode off = GradMode.off();
            Scope scope = Scope.open()) {
          StudentForward.Result result =
              forward.run(
                  scope,
                  RunData.images(batch, 0, count),
                  count,
                  null,
                  view.needsAttention(probe.getKeep()));
          TeacherView.Kept kept =
              view.choose(
                  TeacherView.Images.of(batch, 0, count),
                  count,
                  result.saliency(),
                  probe.getKeep(),
                  0,
                  images);
          MicroBatchMessages.forwarded(
                  MicroBatchKey.newBuilder()
                      .setRun(probe.getRun())
                      .setAttempt(probe.getAttempt())
                      .setIndex(index)
                      .build(),
                  Tensors.floats(result.logits()),
                  null,
                  batch.targets(),
                  count,
                  kept)
              .forEach(outbox::send);
        }
        index++;
        images += count;
      }
    }
    outbox.send(
        StudentEvent.newBuilder()
            .setProbeDone(
                ProbeDone.newBuilder()
                    .setRun(probe.getRun())
                    .setAttempt(probe.getAttempt())
                    .setImages(images))
            .build());
  }

  private static void requireOpen(Inbox inbox) throws StepAbandonedException {
    if (inbox.isClosed()) {
      throw new StepAbandonedException("the coordinator's stream ended");
    }
  }

  /** Accuracy on the evaluation images, with progress while it goes on. */
  StudentEvent evaluate(Evaluate request, Inbox inbox, Outbox<StudentEvent> outbox)
      throws Exception {
    Evaluated result =
        request.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA
            ? learner.withEma(() -> evaluateNow(request, inbox, outbox))
            : evaluateNow(request, inbox, outbox);
    return StudentEvent.newBuilder().setEvaluated(result).build();
  }

  private Evaluated evaluateNow(Evaluate request, Inbox inbox, Outbox<StudentEvent> outbox)
      throws StepAbandonedException {
    long start = System.nanoTime();
    long lastWord = start;
    Evaluation evaluation = new Evaluation();
    int of = request.getImages() == 0 ? data.evalImages() : request.getImages();
    try (RunData.EvaluationPass pass = data.evaluation(request.getImages(), request.getBatch())) {
      for (Batch batch : pass) {
        requireOpen(inbox);
        evaluation.add(forward, batch);
        if (System.nanoTime() - lastWord > TimeUnit.SECONDS.toNanos(1)) {
          lastWord = System.nanoTime();
          outbox.send(
              StudentEvent.newBuilder()
                  .setEvaluateProgress(
                      EvaluateProgress.newBuilder()
                          .setId(request.getId())
                          .setImages(evaluation.accuracy().images())
                          .setOf(of))
                  .build());
        }
      }
    }
    return Evaluated.newBuilder()
        .setId(request.getId())
        .setImages(evaluation.accuracy().images())
        .setTop1(evaluation.accuracy().top1Count())
        .setTop5(evaluation.accuracy().top5Count())
        .setLoss(evaluation.meanLoss())
        .setSeconds((System.nanoTime() - start) / 1e9)
        .build();
  }
}
