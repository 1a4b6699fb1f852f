package org.maskedkd.coordinator;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.maskedkd.proto.v1.Action;
import org.maskedkd.proto.v1.Backward;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.proto.v1.ClockReply;
import org.maskedkd.proto.v1.ClockRequest;
import org.maskedkd.proto.v1.Evaluate;
import org.maskedkd.proto.v1.Evaluated;
import org.maskedkd.proto.v1.Exported;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.Offered;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Probe;
import org.maskedkd.proto.v1.ProbeDone;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.proto.v1.Profiled;
import org.maskedkd.proto.v1.Protocol;
import org.maskedkd.proto.v1.Restored;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepDone;
import org.maskedkd.proto.v1.StepFailed;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StepRecord;
import org.maskedkd.proto.v1.StudentCommand;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.StudentGrpc;
import org.maskedkd.proto.v1.StudentOpened;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.proto.v1.WhereReply;
import org.maskedkd.proto.v1.WhereRequest;
import org.maskedkd.runtime.Failures;
import org.maskedkd.runtime.TensorFrames;

/**
 * A student stage that trains {@link Toy}'s matrix with the gradients it is sent, and nothing else.
 */
final class FakeStudent extends StudentGrpc.StudentImplBase implements AutoCloseable {

  @SuppressWarnings("ArrayRecordComponent")
  record Saved(double[][] weights, String state, Numerics numerics) {}

  /** Outlives the process, as a disk does. */
  static final class Disk {
    final TreeMap<Long, Saved> checkpoints = new TreeMap<>();
    final Map<String, Map<String, String>> exports = new HashMap<>();
    final List<Checkpoint> requests = new ArrayList<>();
  }

  final Disk disk;
  double[][] weights = Toy.matrix(1, 0.1);
  volatile long committed;
  final List<StepPlan> plans = Collections.synchronizedList(new ArrayList<>());
  private final List<StepRecord> records = new ArrayList<>();
  private final Map<MicroBatchKey, CompletableFuture<float[]>> gradients =
      new ConcurrentHashMap<>();
  private final Map<MicroBatchKey, TensorFrames.Assembler> arriving = new ConcurrentHashMap<>();
  private final Map<MicroBatchKey, LossParts> losses = new ConcurrentHashMap<>();
  private final ExecutorService worker = Executors.newSingleThreadExecutor();

  volatile UnaryOperator<StudentOpened> opening = opened -> opened;
  volatile Consumer<StepPlan> onPlan = plan -> {};
  volatile Consumer<MicroBatchKey> beforeForward = key -> {};
  volatile List<String> gpus = List.of();
  volatile Consumer<StepPlan> beforeDone = plan -> {};
  volatile Function<StudentEvent, List<StudentEvent>> sending = List::of;
  volatile long failingStep = -1;
  volatile double slowerTogether = 1;
  volatile Numerics numerics = Numerics.newBuilder().putFacts("threads", "1").build();

  FakeStudent(Disk disk) {
    this.disk = disk;
  }

  /** The process is killed; another one takes its place, which knows only what is on the disk. */
  StatusRuntimeException die() {
    weights = Toy.matrix(1, 0.1);
    committed = 0;
    records.clear();
    gradients.clear();
    arriving.clear();
    losses.clear();
    return connectionCut();
  }

  /** The coordinator's stream ends and the step with it; the process lives on. */
  static StatusRuntimeException connectionCut() {
    return Status.UNAVAILABLE.withDescription("connection cut").asRuntimeException();
  }

  @Override
  public void open(OpenStudent request, StreamObserver<StudentOpened> out) {
    StudentOpened opened =
        StudentOpened.newBuilder()
            .setProtocolVersion(Protocol.PROTOCOL_VERSION_VALUE)
            .setModel(
                ModelInfo.newBuilder()
                    .setModel("toy")
                    .setGrid(Toy.GRID)
                    .setClasses(Toy.CLASSES)
                    .setParameters(48))
            .setNumerics(numerics)
            .addAllClasses(List.of("a", "b", "c"))
            .setTrainImages(43)
            .setEvalImages(Toy.EVAL_IMAGES)
            .setDataFingerprint("beef")
            .setCommittedStep(committed)
            .addAllGpus(gpus)
            .build();
    out.onNext(opening.apply(opened));
    out.onCompleted();
  }

  @Override
  public void where(WhereRequest request, StreamObserver<WhereReply> out) {
    out.onNext(
        WhereReply.newBuilder()
            .setOpen(true)
            .setCommittedStep(committed)
            .addAllRecords(records)
            .build());
    out.onCompleted();
  }

  @Override
  public StreamObserver<StudentCommand> train(StreamObserver<StudentEvent> out) {
    return new StreamObserver<>() {
      @Override
      public void onNext(StudentCommand command) {
        if (command.hasBackward()) {
          take(command.getBackward());
          return;
        }
        if (command.hasPlan()) {
          plans.add(command.getPlan());
          onPlan.accept(command.getPlan());
        }
        worker.execute(
            () -> {
              try {
                carryOut(command, out);
              } catch (RuntimeException | AssertionError e) {
                out.onError(Failures.toStatus(e));
              }
            });
      }

      @Override
      public void onError(Throwable t) {}

      @Override
      public void onCompleted() {}
    };
  }

  private void take(Backward backward) {
    MicroBatchKey key = backward.getKey();
    TensorFrames.Assembler assembler =
        arriving.computeIfAbsent(key, k -> new TensorFrames.Assembler(1 << 20));
    backward.getTensorsList().forEach(assembler::add);
    if (backward.getLast()) {
      losses.put(key, backward.getLoss());
      TensorFrames.NamedTensor gradient = assembler.finish().get("logits_gradient");
      if (gradient == null || !gradient(key).complete(gradient.floats())) {
        throw new IllegalStateException("no gradient, or a second one, for " + key);
      }
    }
  }

  private CompletableFuture<float[]> gradient(MicroBatchKey key) {
    return gradients.computeIfAbsent(key, k -> new CompletableFuture<>());
  }

  private void carryOut(StudentCommand command, StreamObserver<StudentEvent> out) {
    switch (command.getCommandCase()) {
      case PLAN -> step(command.getPlan(), out);
      case PROBE -> probe(command.getProbe(), out);
      case EVALUATE -> evaluate(command.getEvaluate(), out);
      case CHECKPOINT -> {
        disk.requests.add(command.getCheckpoint());
        disk.checkpoints.put(
            committed,
            new Saved(copy(weights), command.getCheckpoint().getCoordinatorState(), numerics));
        records.clear();
        send(out, b -> b.setCheckpointed(Checkpointed.newBuilder().setStep(committed)));
      }
      case RESTORE -> {
        Restored.Builder restored = Restored.newBuilder();
        if (!disk.checkpoints.isEmpty()) {
          Saved saved = disk.checkpoints.lastEntry().getValue();
          committed = disk.checkpoints.lastKey();
          weights = copy(saved.weights());
          restored
              .setStep(committed)
              .setCoordinatorState(saved.state())
              .setNumerics(saved.numerics());
        }
        send(out, b -> b.setRestored(restored));
      }
      case EXPORT -> {
        disk.exports.put(command.getExport().getFile(), command.getExport().getMetadataMap());
        send(out, b -> b.setExported(Exported.newBuilder().setFile(command.getExport().getFile())));
      }
      case PROFILE -> {
        Profiled.Builder profiled = Profiled.newBuilder();
        List<Integer> sizes = command.getProfile().getSizesList();
        // A single size is asked for while the teachers are at work as well.
        double slower = sizes.size() == 1 ? slowerTogether : 1;
        for (int size : sizes) {
          profiled.addPoints(point("forward", size, 0.001, slower));
          profiled.addPoints(point("backward", size, 0.002, 1));
        }
        send(out, b -> b.setProfiled(profiled));
      }
      case BACKWARD, COMMAND_NOT_SET ->
          throw new IllegalStateException("unexpected " + command.getCommandCase());
    }
  }

  /** With a fixed share, so that a split costs something. */
  static ProfilePoint point(String operation, int samples, double perSample, double slower) {
    return ProfilePoint.newBuilder()
        .setOperation(operation)
        .setSamples(samples)
        .setSeconds(slower * (0.0001 + perSample * samples))
        .build();
  }

  @Override
  public void clock(ClockRequest request, StreamObserver<ClockReply> response) {
    response.onNext(ClockReply.newBuilder().setNanos(System.nanoTime()).build());
    response.onCompleted();
  }

  private void step(StepPlan plan, StreamObserver<StudentEvent> out) {
    if (plan.getStep() != committed + 1) {
      throw new IllegalStateException("step " + plan.getStep() + " after " + committed);
    }
    if (plan.getStep() == failingStep) {
      send(
          out,
          b ->
              b.setStepFailed(
                  StepFailed.newBuilder()
                      .setRun(plan.getRun())
                      .setAttempt(plan.getAttempt())
                      .setStep(plan.getStep())
                      .setReason("a picture was broken")));
      return;
    }
    List<Integer> sizes = plan.getMicroBatchSizesList();
    int[] from = new int[sizes.size() + 1];
    for (int i = 0; i < sizes.size(); i++) {
      from[i + 1] = from[i] + sizes.get(i);
    }
    double[][] sum = new double[Toy.CLASSES][Toy.PIXELS];
    LossParts.Builder loss = LossParts.newBuilder();
    boolean offers = false;
    for (Action action : plan.getActionsList()) {
      int i = action.getIndex();
      MicroBatchKey key = key(plan, i);
      switch (action.getOperation()) {
        case OPERATION_OFFER -> {
          offers = true;
          offer(key, plan.getStep(), from[i], sizes.get(i), plan.getKeep(), out);
        }
        case OPERATION_FORWARD -> {
          beforeForward.accept(key);
          boolean offered = offers || i < plan.getStaleMicroBatches();
          forward(key, plan.getStep(), from[i], sizes.get(i), plan.getKeep(), offered, false, out);
        }
        case OPERATION_LOOK_AHEAD -> {
          List<Integer> ahead = plan.getAheadSizesList();
          int first = ahead.subList(0, i).stream().mapToInt(Integer::intValue).sum();
          MicroBatchKey next = key.toBuilder().setStep(plan.getStep() + 1).build();
          offer(next, next.getStep(), first, ahead.get(i), plan.getKeep(), out);
        }
        case OPERATION_AWAIT -> {
          for (int all = 0; all < sizes.size(); all++) {
            await(gradient(key(plan, all)));
          }
        }
        case OPERATION_BACKWARD -> {
          accumulate(sum, await(gradient(key)), plan.getStep(), from[i]);
          LossParts part = Objects.requireNonNull(losses.get(key));
          loss.setTotal(loss.getTotal() + part.getTotal())
              .setBase(loss.getBase() + part.getBase())
              .setDistillation(loss.getDistillation() + part.getDistillation())
              .setStudentCorrect(loss.getStudentCorrect() + part.getStudentCorrect())
              .setTeacherCorrect(loss.getTeacherCorrect() + part.getTeacherCorrect());
        }
        case OPERATION_UNSPECIFIED, UNRECOGNIZED ->
            throw new IllegalStateException("unknown action " + action);
      }
    }
    int images = from[sizes.size()];
    for (int c = 0; c < Toy.CLASSES; c++) {
      for (int x = 0; x < Toy.PIXELS; x++) {
        weights[c][x] -= plan.getLearningRate() * sum[c][x];
      }
    }
    beforeDone.accept(plan);
    committed = plan.getStep();
    long now = System.nanoTime();
    StepRecord record =
        StepRecord.newBuilder()
            .setStep(plan.getStep())
            .setEpoch(plan.getEpoch())
            .setLearningRate(plan.getLearningRate())
            .setImages(images)
            .setLoss(
                loss.setTotal(loss.getTotal() / images)
                    .setBase(loss.getBase() / images)
                    .setDistillation(loss.getDistillation() / images))
            .setGradientNorm(1)
            .setStaleSamples(from[plan.getStaleMicroBatches()])
            // The toy's student does not look at its weights to choose.
            .setMaskAgreement(1)
            .setStepSeconds(0.5)
            .addSpans(span("forward", now - 100_000_000, now))
            .addSpans(span("data", now - 400_000_000, now - 100_000_000))
            .addSpans(span("backward", now, now + 1))
            .build();
    records.add(record);
    send(
        out,
        b ->
            b.setStepDone(
                StepDone.newBuilder()
                    .setRun(plan.getRun())
                    .setAttempt(plan.getAttempt())
                    .setRecord(record)));
  }

  private static Span span(String operation, long start, long end) {
    return Span.newBuilder().setOperation(operation).setStartNanos(start).setEndNanos(end).build();
  }

  private static float[] await(CompletableFuture<float[]> gradient) {
    try {
      return gradient.get(20, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new IllegalStateException("no gradient came", e);
    }
  }

  private void accumulate(double[][] sum, float[] gradient, long step, int from) {
    for (int i = 0; i < gradient.length / Toy.CLASSES; i++) {
      byte[] image = Toy.image(step, from + i);
      for (int c = 0; c < Toy.CLASSES; c++) {
        for (int x = 0; x < Toy.PIXELS; x++) {
          sum[c][x] += gradient[i * Toy.CLASSES + c] * (image[x] & 0xff) / 255;
        }
      }
    }
  }

  private static MicroBatchKey key(StepPlan plan, int index) {
    return MicroBatchKey.newBuilder()
        .setRun(plan.getRun())
        .setAttempt(plan.getAttempt())
        .setStep(plan.getStep())
        .setIndex(index)
        .build();
  }

  private void probe(Probe probe, StreamObserver<StudentEvent> out) {
    int from = 0;
    for (int i = 0; from < probe.getImages(); i++) {
      int samples = Math.min(probe.getMicroBatch(), probe.getImages() - from);
      MicroBatchKey key =
          MicroBatchKey.newBuilder()
              .setRun(probe.getRun())
              .setAttempt(probe.getAttempt())
              .setIndex(i)
              .build();
      forward(key, 0, from, samples, probe.getKeep(), false, true, out);
      from += samples;
    }
    int images = from;
    send(
        out,
        b ->
            b.setProbeDone(
                ProbeDone.newBuilder()
                    .setRun(probe.getRun())
                    .setAttempt(probe.getAttempt())
                    .setImages(images)));
  }

  private void forward(
      MicroBatchKey key,
      long step,
      int from,
      int samples,
      double keep,
      boolean offered,
      boolean oneHot,
      StreamObserver<StudentEvent> out) {
    float[] logits = new float[samples * Toy.CLASSES];
    float[] target = new float[samples * Toy.CLASSES];
    for (int i = 0; i < samples; i++) {
      byte[] image = Toy.image(step, from + i);
      double[] values = Toy.logits(weights, image);
      for (int c = 0; c < Toy.CLASSES; c++) {
        logits[i * Toy.CLASSES + c] = (float) values[c];
      }
      float[] row = Toy.target(image);
      if (oneHot) {
        Arrays.fill(row, 0);
        row[Toy.label(image)] = 1;
      }
      System.arraycopy(row, 0, target, i * Toy.CLASSES, Toy.CLASSES);
    }
    // Two frames: the relay must not depend on how a micro-batch is cut.
    List<Tensor> first = new ArrayList<>();
    first.add(TensorFrames.floats("logits", logits, samples, Toy.CLASSES));
    if (keep > 0 && !offered) {
      List<Tensor> patches = patches(step, from, samples, keep);
      first.add(patches.get(0));
      send(out, b -> b.setForwarded(Forwarded.newBuilder().setKey(key).addAllTensors(first)));
      first.clear();
      first.add(patches.get(1));
    }
    first.add(TensorFrames.floats("target", target, samples, Toy.CLASSES));
    send(
        out,
        b -> b.setForwarded(Forwarded.newBuilder().setKey(key).addAllTensors(first).setLast(true)));
  }

  private void offer(
      MicroBatchKey key,
      long step,
      int from,
      int samples,
      double keep,
      StreamObserver<StudentEvent> out) {
    List<Tensor> patches = patches(step, from, samples, keep);
    send(out, b -> b.setOffered(Offered.newBuilder().setKey(key).addTensors(patches.get(0))));
    send(
        out,
        b ->
            b.setOffered(
                Offered.newBuilder().setKey(key).addTensors(patches.get(1)).setLast(true)));
  }

  /** Kept indices and patches. */
  private static List<Tensor> patches(long step, int from, int samples, double keep) {
    int count = (int) Math.round(keep * Toy.PATCHES);
    int[] indices = new int[samples * count];
    ByteBuffer patches = ByteBuffer.allocate(samples * count * Toy.PATCH_BYTES);
    for (int i = 0; i < samples; i++) {
      byte[] image = Toy.image(step, from + i);
      int[] kept = Toy.kept(image, keep);
      System.arraycopy(kept, 0, indices, i * count, count);
      patches.put(Toy.cut(image, kept));
    }
    return List.of(
        TensorFrames.ints("kept_indices", indices, samples, count),
        TensorFrames.bytes("kept_patches", patches.flip(), samples, count, Toy.PATCH_BYTES));
  }

  private void evaluate(Evaluate evaluate, StreamObserver<StudentEvent> out) {
    long correct = 0;
    for (int i = 0; i < Toy.EVAL_IMAGES; i++) {
      byte[] image = Toy.image(0, i);
      double[] logits = Toy.logits(weights, image);
      int label = Toy.label(image);
      correct += Arrays.stream(logits).allMatch(v -> v <= logits[label]) ? 1 : 0;
    }
    long top1 = correct;
    send(
        out,
        b ->
            b.setEvaluated(
                Evaluated.newBuilder()
                    .setId(evaluate.getId())
                    .setImages(Toy.EVAL_IMAGES)
                    .setTop1(top1)
                    .setTop5(Toy.EVAL_IMAGES)
                    .setLoss(1)));
  }

  private void send(StreamObserver<StudentEvent> out, Consumer<StudentEvent.Builder> fill) {
    StudentEvent.Builder event = StudentEvent.newBuilder();
    fill.accept(event);
    sending.apply(event.build()).forEach(out::onNext);
  }

  private static double[][] copy(double[][] matrix) {
    return Arrays.stream(matrix).map(double[]::clone).toArray(double[][]::new);
  }

  @Override
  public void close() {
    worker.shutdownNow();
  }
}
