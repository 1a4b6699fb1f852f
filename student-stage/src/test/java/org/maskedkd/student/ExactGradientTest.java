package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.maskedkd.data.Augment;
import org.maskedkd.data.Batch;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;

/**
 * However a batch is cut, its gradient is that of the batch in one piece: max|difference| /
 * max|gradient| below 1e-5 for every tensor, with drop-path and mixup on and a masked teacher in
 * the loop.
 */
class ExactGradientTest {
  private static final int BATCH = 12;
  private static final double BOUND = 1e-5;
  private static final double DROP_PATH = 0.3;
  private static final double KEEP = 0.5;

  private static final VitConfig STUDENT =
      ModelZoo.parse("vit:image=16,patch=4,width=32,depth=3,heads=2,classes=4");
  private static final VitConfig TEACHER =
      ModelZoo.parse("vit:image=16,patch=4,width=48,depth=2,heads=3,classes=4");

  private static Learner learner;
  private static VisionTransformer teacher;
  private static ImageSource images;
  private static Batch batch;

  @BeforeAll
  static void open() {
    Torch.start(1);
    learner =
        new Learner(
            VisionTransformer.initialised(STUDENT, 11, Precision.FP32, Mode.TRAINABLE),
            Optimization.newBuilder().setBeta1(0.9).setBeta2(0.999).setEpsilon(1e-8).build());
    teacher = VisionTransformer.initialised(TEACHER, 12, Precision.FP32, Mode.FROZEN);
    images =
        ImageSource.open(
            "generated:classes=4,images=48,size=16,patch=4,seed=5,split=train", Path.of("."));
    Augment augment = Augment.shiftsAndFlips(2).withMixing(0.8, 1.0, 1.0, 0.5);
    batch =
        new TrainBatches(
                images, BATCH, 16, augment, STUDENT.meanValues(), STUDENT.stdValues(), 0, 3)
            .batch(1);
  }

  @AfterAll
  static void close() {
    learner.close();
    teacher.close();
    images.close();
  }

  @Test
  void gradient_overRandomSplitsAndWindows_isThatOfTheWholeBatch() throws Exception {
    compareRandomPlans(20260101, 8);
  }

  @Test
  @Tag("soak")
  void gradient_overManyRandomSplitsAndWindows_isThatOfTheWholeBatch() throws Exception {
    compareRandomPlans(20260102, 200);
  }

  private static void compareRandomPlans(long seed, int plans) throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, float[]> whole = gradient(List.of(BATCH), BATCH, Order.EAGER);
    assertThat(whole.values()).allMatch(values -> largest(values) > 0);
    for (int i = 0; i < plans; i++) {
      List<Integer> sizes = split(random);
      int largestSize = sizes.stream().mapToInt(Integer::intValue).max().orElseThrow();
      boolean eager = random.nextBoolean();
      int window = eager ? random.nextInt(largestSize, BATCH + 1) : BATCH;
      Order order = eager ? Order.EAGER : Order.FILL_DRAIN;
      Map<String, float[]> cut = gradient(sizes, window, order);
      String plan = "seed " + seed + ", sizes " + sizes + ", window " + window + ", " + order;
      whole.forEach(
          (name, expected) ->
              assertThat(
                      largestDifference(expected, Objects.requireNonNull(cut.get(name), name))
                          / largest(expected))
                  .as("%s of %s", name, plan)
                  .isLessThan(BOUND));
    }
  }

  private static List<Integer> split(SplittableRandom random) {
    List<Integer> sizes = new ArrayList<>();
    for (int left = BATCH; left > 0; left -= sizes.get(sizes.size() - 1)) {
      sizes.add(random.nextInt(1, Math.min(left, 6) + 1));
    }
    return sizes;
  }

  @Test
  void gradient_recomputedForwards_areBitIdentical() throws Exception {
    List<Integer> sizes = List.of(3, BATCH - 3);
    Map<String, float[]> kept = gradient(sizes, BATCH, Order.EAGER);

    Map<String, float[]> again = gradient(sizes, BATCH, Order.EAGER, device(/* recompute= */ true));

    assertThat(again.keySet()).isEqualTo(kept.keySet());
    kept.forEach((name, expected) -> assertThat(again.get(name)).as(name).isEqualTo(expected));
  }

  private static StudentDevice device(boolean recompute) {
    return new ModelDevice(
        learner,
        new StudentForward(learner.model(), AttentionRow.LAST_CLASS),
        new FeatureLoss(Objective.NONE, 3),
        recompute);
  }

  private static Map<String, float[]> gradient(List<Integer> sizes, int window, Order order)
      throws Exception {
    return gradient(sizes, window, order, device(/* recompute= */ false));
  }

  private static Map<String, float[]> gradient(
      List<Integer> sizes, int window, Order order, StudentDevice device) throws Exception {
    StepPlan plan =
        Plans.of(SchedulePlanner.plan(order, sizes, window, 1)).toBuilder()
            .setRun("exact")
            .setStep(1)
            .setKeep(KEEP)
            .build();
    Inbox inbox = new Inbox(Turns.always());
    inbox.beginStep("exact", 0, 1, Integer.MAX_VALUE);
    TeacherView view =
        new TeacherView(
            Grid.newBuilder()
                .setImageHeight(16)
                .setImageWidth(16)
                .setPatch(4)
                .setChannels(3)
                .build(),
            STUDENT,
            new PatchChoice(
                Masking.newBuilder().setCriterion(Masking.Criterion.CRITERION_STUDENT).build(),
                STUDENT,
                null,
                3));
    try (TrainingStep step =
        new TrainingStep(
            plan,
            batch,
            device,
            STUDENT,
            view,
            new LookAhead(next -> batch),
            inbox,
            event -> answer(event.getForwarded(), inbox),
            3,
            DROP_PATH)) {
      StepInterpreter.run(plan, BATCH, step);
    }
    Map<String, float[]> gradients = new TreeMap<>();
    List<String> names = List.copyOf(learner.model().parameters().keySet());
    for (int i = 0; i < names.size(); i++) {
      gradients.put(names.get(i), Tensors.floats(learner.gradients().of(i)));
    }
    learner.dropGradients();
    return gradients;
  }

  /**
   * The coordinator and the teacher in one: half cross-entropy, half divergence at temperature 2.
   */
  private static void answer(Forwarded forwarded, Inbox inbox) {
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(1 << 20);
    forwarded.getTensorsList().forEach(assembler::add);
    Map<String, NamedTensor> tensors = assembler.finish();
    float[] z = named(tensors, "logits").floats();
    float[] w = named(tensors, "target").floats();
    float[] t =
        teacherLogits(named(tensors, "kept_patches"), named(tensors, "kept_indices").ints());
    int classes = STUDENT.classes();
    float[] gradient = new float[z.length];
    for (int row = 0; row < z.length; row += classes) {
      double[] p = softmax(z, row, classes, 1);
      double[] q = softmax(z, row, classes, 2);
      double[] teacherP = softmax(t, row, classes, 2);
      for (int c = 0; c < classes; c++) {
        gradient[row + c] =
            (float) ((0.5 * (p[c] - w[row + c]) + 0.5 * 2 * (q[c] - teacherP[c])) / BATCH);
      }
    }
    assembler.add(TensorFrames.floats("logits_gradient", gradient, z.length / classes, classes));
    inbox.gradient(
        forwarded.getKey(), new Inbox.Gradient(assembler.finish(), LossParts.getDefaultInstance()));
  }

  private static NamedTensor named(Map<String, NamedTensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  private static float[] teacherLogits(NamedTensor patches, int[] kept) {
    int count = (int) patches.shape()[0];
    int perImage = (int) patches.shape()[1];
    try (Scope scope = Scope.open()) {
      NDArray bytes =
          Tensors.fromBytes(scope.manager(), patches.bytes(), DataType.UINT8, patches.shape());
      NDArray places =
          Tensors.of(
              scope.manager(), Arrays.stream(kept).asLongStream().toArray(), count, perImage);
      NDArray input = Ops.normalizePatches(bytes, TEACHER.meanValues(), TEACHER.stdValues());
      return Tensors.floats(teacher.forward(input, places).logits());
    }
  }

  private static double[] softmax(float[] values, int from, int count, double temperature) {
    double[] e = new double[count];
    double sum = 0;
    for (int c = 0; c < count; c++) {
      e[c] = Math.exp(values[from + c] / temperature);
      sum += e[c];
    }
    for (int c = 0; c < count; c++) {
      e[c] /= sum;
    }
    return e;
  }

  private static double largest(float[] values) {
    return largestDifference(values, new float[values.length]);
  }

  private static double largestDifference(float[] a, float[] b) {
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs((double) a[i] - b[i]));
    }
    return largest;
  }
}
