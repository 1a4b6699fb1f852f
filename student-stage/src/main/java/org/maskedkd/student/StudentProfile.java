package org.maskedkd.student;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.data.Batch;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Profile;
import org.maskedkd.proto.v1.ProfilePoint;
import org.maskedkd.proto.v1.Profiled;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.tensor.ProcessMemory;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;

/**
 * Times a forward and a backward by themselves: the very code of a training step, on blank images,
 * with a gradient that is there at once. Gradients are left behind for the caller to drop.
 */
final class StudentProfile {
  private static final float GRADIENT = 1e-3f;

  private final StudentDevice device;
  private final ModelConfig config;
  private final @Nullable TeacherView teacherView;
  private final double dropPath;
  private final int second;

  /** After the last forward, its activations held. */
  private long residentBytes;

  /**
   * @param second size of the images that the teacher gets beside the student's; 0 if it does not
   */
  StudentProfile(
      StudentDevice device,
      ModelConfig config,
      @Nullable TeacherView teacherView,
      double dropPath,
      int second) {
    this.device = device;
    this.config = config;
    this.teacherView = teacherView;
    this.dropPath = dropPath;
    this.second = second;
  }

  /**
   * @param request as {@link CommandCheck} lets it pass
   * @param abandoned whether nobody waits for it any more
   * @return the median of the repeats for each size and operation
   */
  Profiled measure(Profile request, BooleanSupplier abandoned)
      throws StepAbandonedException, InterruptedException {
    Profiled.Builder profiled = Profiled.newBuilder();
    for (int size : request.getSizesList()) {
      double[] forwards = new double[request.getRepeats()];
      double[] backwards = new double[request.getRepeats()];
      once(size, request.getKeep());
      for (int i = 0; i < request.getRepeats(); i++) {
        if (abandoned.getAsBoolean()) {
          throw new StepAbandonedException("the coordinator's stream ended");
        }
        List<Span> spans = once(size, request.getKeep());
        int last = spans.size() - 1;
        // With what chose the student's own patches, where it is masked.
        forwards[i] = spans.stream().limit(last).mapToDouble(StudentProfile::seconds).sum();
        backwards[i] = seconds(spans.get(last));
      }
      profiled.addPoints(point("forward", size, forwards).setResidentBytes(residentBytes));
      profiled.addPoints(
          point("backward", size, backwards).setResidentBytes(ProcessMemory.residentBytes()));
    }
    return profiled.build();
  }

  private static ProfilePoint.Builder point(String operation, int size, double[] seconds) {
    Arrays.sort(seconds);
    int middle = seconds.length / 2;
    double median =
        seconds.length % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
    return ProfilePoint.newBuilder().setOperation(operation).setSamples(size).setSeconds(median);
  }

  private static double seconds(Span span) {
    return (span.getEndNanos() - span.getStartNanos()) / 1e9;
  }

  /** The spans of one forward, which may be two, and of one backward, in this order. */
  private List<Span> once(int size, double keep)
      throws StepAbandonedException, InterruptedException {
    StepPlan plan = StepPlan.newBuilder().addMicroBatchSizes(size).setKeep(keep).build();
    Inbox inbox = new Inbox(Turns.always());
    inbox.beginStep(plan.getRun(), plan.getAttempt(), plan.getStep(), 1, Long.MAX_VALUE);
    try (TrainingStep step =
        new TrainingStep(
            plan,
            blank(size),
            device,
            config,
            teacherView,
            new LookAhead(next -> blank(size)),
            inbox,
            event -> {},
            0,
            dropPath,
            held -> {})) {
      step.forward(0, 0, size);
      residentBytes = ProcessMemory.residentBytes();
      inbox.gradient(
          MicroBatchKey.getDefaultInstance(),
          new Inbox.Gradient(blankSignal(size, keep), LossParts.getDefaultInstance()));
      step.backward(0);
      return step.spans();
    }
  }

  private Batch blank(int size) {
    int side = config.imageHeight();
    return new Batch(
        0,
        0,
        size,
        side,
        config.classes(),
        blankImages(size, side, config.imageWidth()),
        new float[size * config.classes()],
        new int[size],
        new int[size],
        second == 0 ? null : new Batch.Second(second, blankImages(size, second, second)));
  }

  private byte[] blankImages(int count, int height, int width) {
    return new byte[Math.multiplyExact(count, config.channels() * height * width)];
  }

  /** A gradient, and features of which nothing is to be learned. */
  private Map<String, TensorFrames.NamedTensor> blankSignal(int size, double keep) {
    int classes = config.classes();
    float[] gradient = new float[size * classes];
    Arrays.fill(gradient, GRADIENT);
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(Long.MAX_VALUE);
    assembler.add(TensorFrames.floats("logits_gradient", gradient, size, classes));
    Objective objective = device.objective();
    if (objective.separateHeads()) {
      assembler.add(TensorFrames.floats("distillation_logits_gradient", gradient, size, classes));
    }
    if (objective.comparesFeatures()) {
      int kept = PatchSelection.keepCount(keep, config.patches());
      add(
          assembler,
          "tokens",
          objective.ofTeacher().getTokensCount(),
          size,
          kept,
          objective.teacherWidth());
      add(assembler, "attention", objective.ofTeacher().getAttentionCount(), size, kept);
    }
    return assembler.finish();
  }

  private static void add(TensorFrames.Assembler assembler, String name, long... shape) {
    long numbers = Arrays.stream(shape).reduce(1, Math::multiplyExact);
    if (numbers > 0) {
      TensorFrames.cut(
              List.of(TensorFrames.floats(name, new float[Math.toIntExact(numbers)], shape)))
          .forEach(frames -> frames.forEach(assembler::add));
    }
  }
}
