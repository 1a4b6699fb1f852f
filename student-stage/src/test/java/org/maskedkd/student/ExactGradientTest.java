package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.data.Augment;
import org.maskedkd.data.Batch;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.AttentionMaps;
import org.maskedkd.proto.v1.Blocks;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.Manifold;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.OpenStudent;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.proto.v1.Span;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.DropPath;
import org.maskedkd.vit.FeatureLayers;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.Saliency;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.VitOutput;

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

  private static final VitConfig DISTILLED =
      ModelZoo.parse("vit:image=16,patch=4,width=32,depth=3,heads=2,classes=4,distilled=true");

  /** Everything that a student compares, images in groups of two. */
  private static final Objective EVERYTHING =
      Objective.of(
          OpenStudent.newBuilder()
              .setTeacherGrid(grid())
              .setTeacherBlocks(Blocks.newBuilder().setCount(2).setWidth(48).setClassToken(true))
              .setObjective(
                  org.maskedkd.proto.v1.Objective.newBuilder()
                      .setSeparateHeads(true)
                      .setManifold(
                          Manifold.newBuilder()
                              .setWeight(0.5)
                              .setPatch(4)
                              .setSample(1)
                              .setRandom(1)
                              .setRows(6)
                              .setGroup(2))
                      .setAttention(AttentionMaps.newBuilder().setWeight(0.7)))
              .build(),
          DISTILLED);

  private static Learner learner;
  private static Learner distilled;
  private static VisionTransformer teacher;
  private static ImageSource images;
  private static Batch batch;

  /** What the last step said of samples that it held. */
  private static final List<Integer> held = new ArrayList<>();

  @BeforeAll
  static void open() {
    Torch.start(1);
    learner =
        new Learner(
            VisionTransformer.initialised(STUDENT, 11, Precision.FP32, Mode.TRAINABLE),
            Optimization.newBuilder().setBeta1(0.9).setBeta2(0.999).setEpsilon(1e-8).build());
    distilled =
        new Learner(
            VisionTransformer.initialised(DISTILLED, 13, Precision.FP32, Mode.TRAINABLE),
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
    distilled.close();
    teacher.close();
    images.close();
  }

  @ParameterizedTest
  @CsvSource({
    "WHO_TEACHER, CRITERION_STUDENT",
    "WHO_STUDENT, CRITERION_STUDENT",
    "WHO_BOTH, CRITERION_STUDENT",
    "WHO_BOTH, CRITERION_RANDOM"
  })
  void gradient_overRandomSplitsAndWindows_isThatOfTheWholeBatch(
      Masking.Who who, Masking.Criterion criterion) throws Exception {
    compareRandomPlans(20260101, 8, who, criterion);
  }

  @Test
  @Tag("soak")
  void gradient_overManyRandomSplitsAndWindows_isThatOfTheWholeBatch() throws Exception {
    compareRandomPlans(20260102, 200, Masking.Who.WHO_TEACHER, Masking.Criterion.CRITERION_STUDENT);
  }

  private static void compareRandomPlans(
      long seed, int plans, Masking.Who who, Masking.Criterion criterion) throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    Masking masking = masking(who, criterion);
    Map<String, float[]> whole = gradient(List.of(BATCH), BATCH, Order.EAGER, masking);
    assertThat(whole.values()).allMatch(values -> largest(values) > 0);
    for (int i = 0; i < plans; i++) {
      List<Integer> sizes = split(random);
      int largestSize = sizes.stream().mapToInt(Integer::intValue).max().orElseThrow();
      boolean eager = random.nextBoolean();
      int window = eager ? random.nextInt(largestSize, BATCH + 1) : BATCH;
      Order order = eager ? Order.EAGER : Order.FILL_DRAIN;
      Map<String, float[]> cut = gradient(sizes, window, order, masking);
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

  private static StudentDevice everything(boolean recompute) {
    return new ModelDevice(
        distilled,
        new StudentForward(distilled.model(), AttentionRow.LAST_CLASS),
        new FeatureLoss(EVERYTHING, 3),
        recompute);
  }

  private static Map<String, float[]> everything(List<Integer> sizes, double keep, boolean again)
      throws Exception {
    Masking masking = masking(Masking.Who.WHO_TEACHER, Masking.Criterion.CRITERION_STUDENT);
    return gradient(sizes, BATCH, Order.EAGER, masking, keep, everything(again), distilled);
  }

  @ParameterizedTest
  @ValueSource(doubles = {KEEP, 1})
  void gradient_headsApartAndFeatures_isThatOfTheWholeBatchAndTheSameBitsRecomputed(double keep)
      throws Exception {
    Map<String, float[]> whole = everything(List.of(BATCH), keep, false);
    List<Integer> sizes = List.of(2, 6, 4);
    Map<String, float[]> cut = everything(sizes, keep, false);

    whole.forEach(
        (name, expected) ->
            assertThat(
                    largestDifference(expected, Objects.requireNonNull(cut.get(name), name))
                        / largest(expected))
                .as(name)
                .isLessThan(BOUND));
    assertSame(everything(sizes, keep, /* again= */ true), cut);
  }

  @Test
  void backward_headsApart_eachLearnsFromItsOwnGradient() throws Exception {
    Objective apart =
        new Objective(
            true,
            Manifold.getDefaultInstance(),
            BlockPairs.NONE,
            AttentionMaps.getDefaultInstance(),
            BlockPairs.NONE,
            0);
    StudentDevice device =
        new ModelDevice(
            distilled,
            new StudentForward(distilled.model(), AttentionRow.LAST_CLASS),
            new FeatureLoss(apart, 3),
            /* recompute= */ false);
    Masking masking = masking(Masking.Who.WHO_TEACHER, Masking.Criterion.CRITERION_STUDENT);
    List<Forwarded> sent = new ArrayList<>();
    run(List.of(BATCH), BATCH, Order.EAGER, masking, KEEP, device, sent).close();

    int bias = List.copyOf(distilled.model().parameters().keySet()).indexOf("head.bias");
    int other = List.copyOf(distilled.model().parameters().keySet()).indexOf("head_dist.bias");
    float[] ofClass = Tensors.floats(distilled.gradients().of(bias));
    float[] ofOther = Tensors.floats(distilled.gradients().of(other));
    distilled.dropGradients();
    // A head's bias has the sum of its logits' gradients.
    Map<String, NamedTensor> gradients = gradients(sent.get(0), apart);
    assertNear(ofClass, columns(named(gradients, "logits_gradient").floats()));
    assertNear(ofOther, columns(named(gradients, "distillation_logits_gradient").floats()));
  }

  private static float[] columns(float[] rows) {
    float[] sums = new float[STUDENT.classes()];
    for (int i = 0; i < rows.length; i++) {
      sums[i % sums.length] += rows[i];
    }
    return sums;
  }

  private static void assertNear(float[] found, float[] expected) {
    assertThat(largestDifference(expected, found) / largest(expected)).isLessThan(1e-5);
  }

  @ParameterizedTest
  @EnumSource(names = {"WHO_TEACHER", "WHO_BOTH"})
  void gradient_recomputedForwards_areBitIdentical(Masking.Who who) throws Exception {
    List<Integer> sizes = List.of(3, BATCH - 3);
    Masking masking = masking(who, Masking.Criterion.CRITERION_STUDENT);
    Map<String, float[]> kept = gradient(sizes, BATCH, Order.EAGER, masking);

    Map<String, float[]> again =
        gradient(sizes, BATCH, Order.EAGER, masking, KEEP, device(/* recompute= */ true));

    assertSame(again, kept);
  }

  private static void assertSame(Map<String, float[]> found, Map<String, float[]> expected) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, values) -> assertThat(found.get(name)).as(name).isEqualTo(values));
  }

  @ParameterizedTest
  @CsvSource({"EAGER, 5", "EAGER, 7", "FILL_DRAIN, 12"})
  void heldSamples_ofAStep_reachItsWindowAtMostAndAreNoneAtItsEnd(Order order, int window)
      throws Exception {
    Masking masking = masking(Masking.Who.WHO_TEACHER, Masking.Criterion.CRITERION_STUDENT);

    gradient(List.of(3, 2, 2, 5), window, order, masking);

    assertThat(held).contains(window).allMatch(samples -> samples >= 0 && samples <= window);
    assertThat(held).last().isEqualTo(0);
  }

  @Test
  void gradient_studentMaskedButAllKept_isThatOfWholeImages() throws Exception {
    Masking teacher = masking(Masking.Who.WHO_TEACHER, Masking.Criterion.CRITERION_STUDENT);
    Masking student = masking(Masking.Who.WHO_STUDENT, Masking.Criterion.CRITERION_STUDENT);
    List<Integer> sizes = List.of(5, BATCH - 5);

    Map<String, float[]> all =
        gradient(sizes, BATCH, Order.EAGER, student, /* keep= */ 1, device(false));

    assertSame(all, gradient(sizes, BATCH, Order.EAGER, teacher, /* keep= */ 1, device(false)));
    // What is compared above would not be the same for any masks.
    assertThat(gradient(sizes, BATCH, Order.EAGER, student).get("head.weight"))
        .isNotEqualTo(all.get("head.weight"));
  }

  @Test
  void forward_studentMasked_isTheModelOnThePatchesThatItsAttentionToTheWholeImageChose()
      throws Exception {
    Masking both = masking(Masking.Who.WHO_BOTH, Masking.Criterion.CRITERION_STUDENT);
    List<Forwarded> sent = new ArrayList<>();
    List<Span> spans = step(List.of(BATCH), both, sent);

    Map<String, NamedTensor> tensors = tensors(sent.get(0));
    int[] kept = named(tensors, "kept_indices").ints();
    float[][] drops = DropPath.scales(3, 1, 0, BATCH, STUDENT, DROP_PATH);
    try (GradMode off = GradMode.off();
        Scope scope = Scope.open()) {
      NDArray pixels =
          Tensors.fromBytes(
              scope.manager(), RunData.images(batch, 0, BATCH), DataType.UINT8, BATCH, 3, 16, 16);
      NDArray all =
          Ops.patches(
              Ops.normalizeImages(pixels, STUDENT.meanValues(), STUDENT.stdValues()),
              STUDENT.patch());
      NDArray attention =
          Objects.requireNonNull(
              learner.model().forward(all, null, drops, AttentionRow.LAST_CLASS).attention());
      float[][] scores = Saliency.of(Tensors.floats(attention), BATCH, STUDENT.heads(), 1);
      int[] expected =
          Arrays.stream(scores)
              .flatMapToInt(s -> Arrays.stream(PatchSelection.topK(s, 8)))
              .toArray();
      assertThat(kept).isEqualTo(expected);
      NDArray places =
          Tensors.of(scope.manager(), Arrays.stream(kept).asLongStream().toArray(), BATCH, 8);
      NDArray logits =
          learner.model().forward(Ops.gatherTokens(all, places), places, drops, null).logits();
      assertThat(named(tensors, "logits").floats()).isEqualTo(Tensors.floats(logits));
    }
    assertThat(spans)
        .extracting(Span::getOperation)
        .containsExactly("choose", "forward", "backward");

    // The teacher of a masked student sees all.
    sent.clear();
    step(List.of(BATCH), both.toBuilder().setWho(Masking.Who.WHO_STUDENT).build(), sent);
    Map<String, NamedTensor> alone = tensors(sent.get(0));
    assertThat(named(alone, "kept_indices").shape()).containsExactly(BATCH, 16);
    assertThat(named(alone, "logits").floats()).isEqualTo(named(tensors, "logits").floats());
  }

  private static List<Span> step(List<Integer> sizes, Masking masking, List<Forwarded> sent)
      throws Exception {
    try (TrainingStep step =
        run(sizes, BATCH, Order.EAGER, masking, KEEP, device(/* recompute= */ false), sent)) {
      learner.dropGradients();
      return List.copyOf(step.spans());
    }
  }

  private static Masking masking(Masking.Who who, Masking.Criterion criterion) {
    return Masking.newBuilder().setWho(who).setCriterion(criterion).build();
  }

  private static StudentDevice device(boolean recompute) {
    return new ModelDevice(
        learner,
        new StudentForward(learner.model(), AttentionRow.LAST_CLASS),
        new FeatureLoss(Objective.NONE, 3),
        recompute);
  }

  private static Map<String, float[]> gradient(
      List<Integer> sizes, int window, Order order, Masking masking) throws Exception {
    return gradient(sizes, window, order, masking, KEEP, device(/* recompute= */ false));
  }

  private static Grid grid() {
    return Grid.newBuilder()
        .setImageHeight(16)
        .setImageWidth(16)
        .setPatch(4)
        .setChannels(3)
        .build();
  }

  /** A step's forwards and backwards. */
  private static TrainingStep run(
      List<Integer> sizes,
      int window,
      Order order,
      Masking masking,
      double keep,
      StudentDevice device,
      List<Forwarded> sent)
      throws Exception {
    StepPlan plan =
        Plans.of(SchedulePlanner.plan(order, sizes, window, 1)).toBuilder()
            .setRun("exact")
            .setStep(1)
            .setKeep(keep)
            .build();
    held.clear();
    Inbox inbox = new Inbox(Turns.always());
    inbox.beginStep("exact", 0, 1, Integer.MAX_VALUE, Long.MAX_VALUE);
    TeacherView view = new TeacherView(grid(), STUDENT, new PatchChoice(masking, STUDENT, null, 3));
    TrainingStep step =
        new TrainingStep(
            plan,
            batch,
            device,
            STUDENT,
            view,
            new LookAhead(next -> batch),
            inbox,
            event -> {
              sent.add(event.getForwarded());
              inbox.gradient(
                  event.getForwarded().getKey(),
                  new Inbox.Gradient(
                      gradients(event.getForwarded(), device.objective()),
                      LossParts.getDefaultInstance()));
            },
            3,
            DROP_PATH,
            held::add);
    StepInterpreter.run(plan, BATCH, step);
    return step;
  }

  private static Map<String, float[]> gradient(
      List<Integer> sizes,
      int window,
      Order order,
      Masking masking,
      double keep,
      StudentDevice device)
      throws Exception {
    return gradient(sizes, window, order, masking, keep, device, learner);
  }

  private static Map<String, float[]> gradient(
      List<Integer> sizes,
      int window,
      Order order,
      Masking masking,
      double keep,
      StudentDevice device,
      Learner of)
      throws Exception {
    run(sizes, window, order, masking, keep, device, new ArrayList<>()).close();
    Map<String, float[]> gradients = new TreeMap<>();
    List<String> names = List.copyOf(of.model().parameters().keySet());
    for (int i = 0; i < names.size(); i++) {
      gradients.put(names.get(i), Tensors.floats(of.gradients().of(i)));
    }
    of.dropGradients();
    return gradients;
  }

  /**
   * The coordinator and the teacher in one: half cross-entropy, half divergence at temperature 2,
   * and the teacher's features as far as they are compared.
   */
  private static Map<String, NamedTensor> gradients(Forwarded forwarded, Objective objective) {
    Map<String, NamedTensor> tensors = tensors(forwarded);
    float[] z = named(tensors, "logits").floats();
    float[] w = named(tensors, "target").floats();
    boolean apart = objective.separateHeads();
    float[] y = apart ? named(tensors, "distillation_logits").floats() : z;
    VitOutput taught =
        taught(
            named(tensors, "kept_patches"),
            named(tensors, "kept_indices").ints(),
            new FeatureLayers(
                objective.manifoldPairs().ofTeacher(), objective.attentionPairs().ofTeacher()));
    float[] t = Tensors.floats(taught.logits());
    int classes = STUDENT.classes();
    float[] labels = new float[z.length];
    float[] signal = new float[z.length];
    for (int row = 0; row < z.length; row += classes) {
      double[] p = softmax(z, row, classes, 1);
      double[] q = softmax(y, row, classes, 2);
      double[] teacherP = softmax(t, row, classes, 2);
      for (int c = 0; c < classes; c++) {
        labels[row + c] = (float) (0.5 * (p[c] - w[row + c]) / BATCH);
        signal[row + c] = (float) (0.5 * 2 * (q[c] - teacherP[c]) / BATCH);
        labels[row + c] += apart ? 0 : signal[row + c];
      }
    }
    int samples = z.length / classes;
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(1 << 20);
    assembler.add(TensorFrames.floats("logits_gradient", labels, samples, classes));
    if (apart) {
      assembler.add(TensorFrames.floats("distillation_logits_gradient", signal, samples, classes));
    }
    add(assembler, "tokens", taught.features().tokens());
    add(assembler, "attention", taught.features().attention());
    taught.logits().getManager().close();
    return assembler.finish();
  }

  private static void add(TensorFrames.Assembler assembler, String name, List<NDArray> blocks) {
    if (!blocks.isEmpty()) {
      NDArray all = NDArrays.stack(new NDList(blocks));
      assembler.add(TensorFrames.floats(name, Tensors.floats(all), all.getShape().getShape()));
    }
  }

  private static Map<String, NamedTensor> tensors(Forwarded forwarded) {
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(1 << 20);
    forwarded.getTensorsList().forEach(assembler::add);
    return assembler.finish();
  }

  private static NamedTensor named(Map<String, NamedTensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  /** The caller closes the manager of what comes back. */
  private static VitOutput taught(NamedTensor patches, int[] kept, FeatureLayers wanted) {
    int count = (int) patches.shape()[0];
    int perImage = (int) patches.shape()[1];
    NDManager manager = Torch.manager().newSubManager();
    NDArray bytes = Tensors.fromBytes(manager, patches.bytes(), DataType.UINT8, patches.shape());
    NDArray places =
        Tensors.of(manager, Arrays.stream(kept).asLongStream().toArray(), count, perImage);
    NDArray input = Ops.normalizePatches(bytes, TEACHER.meanValues(), TEACHER.stdValues());
    return teacher.forward(input, places, null, null, wanted);
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
