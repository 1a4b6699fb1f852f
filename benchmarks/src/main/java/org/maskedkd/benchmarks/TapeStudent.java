package org.maskedkd.benchmarks;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.proto.v1.Evaluated;
import org.maskedkd.proto.v1.Exported;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.StepDone;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.proto.v1.WhereReply;
import org.maskedkd.proto.v1.WhereRequest;
import org.maskedkd.runtime.Outbox;
import org.maskedkd.runtime.TensorFrames;

/** A student stage that plays the same micro-batch again and again and computes nothing. */
final class TapeStudent extends StudentGrpc.StudentImplBase {
  private final Grid grid;
  private final int classes;
  private final List<List<Tensor>> frames;
  private final ScheduledExecutorService clock;
  private final long nanosPerMicroBatch;
  private final LongConsumer stepEnded;

  /**
   * @param tensors of one micro-batch, as in {@code Forwarded}
   * @param nanosPerMicroBatch how far apart they are sent; 0 for as fast as they are answered
   * @param stepEnded gets each step when its last gradient has come
   */
  TapeStudent(
      Grid grid,
      int classes,
      List<Tensor> tensors,
      ScheduledExecutorService clock,
      long nanosPerMicroBatch,
      LongConsumer stepEnded) {
    this.grid = grid;
    this.classes = classes;
    this.frames = TensorFrames.cut(tensors);
    this.clock = clock;
    this.nanosPerMicroBatch = nanosPerMicroBatch;
    this.stepEnded = stepEnded;
  }

  @Override
  public void open(OpenStudent request, StreamObserver<StudentOpened> out) {
    out.onNext(
        StudentOpened.newBuilder()
            .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
            .setModel(ModelInfo.newBuilder().setModel("tape").setGrid(grid).setClasses(classes))
            .addAllClasses(IntStream.range(0, classes).mapToObj(c -> "class" + c).toList())
            .setTrainImages(1_000_000_000)
            .setEvalImages(1)
            .setDataFingerprint("tape")
            .build());
    out.onCompleted();
  }

  @Override
  public void where(WhereRequest request, StreamObserver<WhereReply> out) {
    out.onNext(WhereReply.newBuilder().setOpen(true).build());
    out.onCompleted();
  }

  @Override
  public StreamObserver<StudentCommand> train(StreamObserver<StudentEvent> out) {
    return new Run(new Outbox<>((ServerCallStreamObserver<StudentEvent>) out));
  }

  private final class Run implements StreamObserver<StudentCommand> {
    private final Outbox<StudentEvent> outbox;
    private final Queue<StepPlan> plans = new ArrayDeque<>();
    private int unanswered;
    private long nextNanos = System.nanoTime();

    /** Of the step that is under way; the coordinator compares it with its own. */
    private final LossParts.Builder sums = LossParts.newBuilder();

    private long committed;

    Run(Outbox<StudentEvent> outbox) {
      this.outbox = outbox;
    }

    @Override
    public synchronized void onNext(StudentCommand command) {
      switch (command.getCommandCase()) {
        case PLAN -> {
          plans.add(command.getPlan());
          if (plans.size() == 1) {
            begin();
          }
        }
        case BACKWARD -> answered(command.getBackward());
        case CHECKPOINT ->
            send(
                StudentEvent.newBuilder()
                    .setCheckpointed(Checkpointed.newBuilder().setStep(committed))
                    .build());
        case EXPORT ->
            send(
                StudentEvent.newBuilder()
                    .setExported(Exported.newBuilder().setFile(command.getExport().getFile()))
                    .build());
        case EVALUATE ->
            send(
                StudentEvent.newBuilder()
                    .setEvaluated(
                        Evaluated.newBuilder().setId(command.getEvaluate().getId()).setImages(1))
                    .build());
        case PROBE, RESTORE, COMMAND_NOT_SET ->
            outbox.fail(new IllegalArgumentException("no tape for " + command.getCommandCase()));
      }
    }

    private void begin() {
      StepPlan plan = plans.element();
      sums.clear();
      unanswered = plan.getMicroBatchSizesCount();
      nextNanos = Math.max(nextNanos, System.nanoTime());
      for (int i = 0; i < unanswered; i++) {
        MicroBatchKey key =
            MicroBatchKey.newBuilder()
                .setRun(plan.getRun())
                .setAttempt(plan.getAttempt())
                .setStep(plan.getStep())
                .setIndex(i)
                .build();
        if (nanosPerMicroBatch == 0) {
          forward(key);
        } else {
          var unused =
              clock.schedule(
                  () -> forward(key), nextNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
          nextNanos += nanosPerMicroBatch;
        }
      }
    }

    private void forward(MicroBatchKey key) {
      for (int i = 0; i < frames.size(); i++) {
        send(
            StudentEvent.newBuilder()
                .setForwarded(
                    Forwarded.newBuilder()
                        .setKey(key)
                        .addAllTensors(frames.get(i))
                        .setLast(i == frames.size() - 1))
                .build());
      }
    }

    private void answered(Backward backward) {
      if (backward.getLast()) {
        LossParts part = backward.getLoss();
        sums.setTotal(sums.getTotal() + part.getTotal())
            .setBase(sums.getBase() + part.getBase())
            .setDistillation(sums.getDistillation() + part.getDistillation())
            .setStudentCorrect(sums.getStudentCorrect() + part.getStudentCorrect())
            .setTeacherCorrect(sums.getTeacherCorrect() + part.getTeacherCorrect());
      }
      if (!backward.getLast() || --unanswered > 0) {
        return;
      }
      StepPlan plan = plans.remove();
      committed = plan.getStep();
      stepEnded.accept(plan.getStep());
      send(
          StudentEvent.newBuilder()
              .setStepDone(
                  StepDone.newBuilder()
                      .setRun(plan.getRun())
                      .setAttempt(plan.getAttempt())
                      .setRecord(record(plan)))
              .build());
      if (!plans.isEmpty()) {
        begin();
      }
    }

    private StepRecord record(StepPlan plan) {
      int images = plan.getMicroBatchSizesList().stream().mapToInt(Integer::intValue).sum();
      return StepRecord.newBuilder()
          .setStep(plan.getStep())
          .setEpoch(plan.getEpoch())
          .setLearningRate(plan.getLearningRate())
          .setImages(images)
          .setLoss(
              sums.setTotal(sums.getTotal() / images)
                  .setBase(sums.getBase() / images)
                  .setDistillation(sums.getDistillation() / images))
          .setGradientNorm(1)
          .setStepSeconds(1)
          .build();
    }

    private void send(StudentEvent event) {
      outbox.send(event);
    }

    @Override
    public void onError(Throwable t) {
      outbox.abandon();
    }

    @Override
    public void onCompleted() {
      outbox.complete();
    }
  }
}
