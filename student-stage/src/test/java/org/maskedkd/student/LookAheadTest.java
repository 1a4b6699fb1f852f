package org.maskedkd.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.maskedkd.data.Augment;
import org.maskedkd.data.Batch;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.data.Turns;
import org.maskedkd.proto.v1.Forwarded;
import org.maskedkd.proto.v1.Grid;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.Masking;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.proto.v1.StepPlan;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.schedule.Order;
import org.maskedkd.schedule.Schedule;
import org.maskedkd.schedule.SchedulePlanner;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;

/** A small real student that takes steps with and without looking ahead. */
class LookAheadTest {
  private static final int BATCH = 12;
  private static final int PATCHES = 16;
  private static final int KEPT = 8;
  private static final double DROP_PATH = 0.3;
  private static final List<Integer> SIZES = List.of(5, 4, 3);

  private static final VitConfig STUDENT =
      ModelZoo.parse("vit:image=16,patch=4,width=32,depth=3,heads=2,classes=4");

  private static final TeacherView VIEW =
      new TeacherView(
          Grid.newBuilder().setImageHeight(16).setImageWidth(16).setPatch(4).setChannels(3).build(),
          STUDENT,
          new PatchChoice(
              Masking.newBuilder().setCriterion(Masking.Criterion.CRITERION_STUDENT).build(),
              STUDENT,
              null,
              3));

  private ImageSource images;
  private Learner learner;

  @BeforeEach
  void open() {
    Torch.start(1);
    images =
        ImageSource.open(
            "generated:classes=4,images=48,size=16,patch=4,seed=5,split=train", Path.of("."));
    learner = learner();
  }

  private static Learner learner() {
    return new Learner(
        VisionTransformer.initialised(STUDENT, 11, Precision.FP32, Mode.TRAINABLE),
        Optimization.newBuilder().setBeta1(0.9).setBeta2(0.999).setEpsilon(1e-8).build());
  }

  @AfterEach
  void close() {
    learner.close();
    images.close();
  }

  private Batch batch(long step) {
    Augment augment = Augment.shiftsAndFlips(2).withMixing(0.8, 1.0, 1.0, 0.5);
    return new TrainBatches(
            images, BATCH, 16, augment, STUDENT.meanValues(), STUDENT.stdValues(), 0, 3)
        .batch(step);
  }

  /** What a run of steps sent and reported. */
  private static final class Sent {
    /** Kept indices as they went to the teachers, by step and micro-batch. */
    final Map<String, int[]> kept = new TreeMap<>();

    final List<String> order = new ArrayList<>();
    final List<MaskAgreement> agreements = new ArrayList<>();
  }

  private static String name(MicroBatchKey key) {
    return key.getStep() + "." + key.getIndex();
  }

  /** Three steps, each looking ahead at {@code stale} micro-batches of the next. */
  private Sent train(Learner of, int stale, double rate, boolean recompute) throws Exception {
    Sent sent = new Sent();
    LookAhead ahead = new LookAhead(this::batch);
    ModelDevice device =
        new ModelDevice(
            of,
            new StudentForward(of.model(), AttentionRow.LAST_CLASS),
            new FeatureLoss(Objective.NONE, 3),
            recompute);
    Schedule exact = SchedulePlanner.plan(Order.EAGER, SIZES, BATCH, 1);
    for (long number = 1; number <= 3; number++) {
      StepPlan plan =
          Plans.of(
                  SchedulePlanner.withStaleMasks(
                      exact, number == 1 ? 0 : stale, SIZES.subList(0, number == 3 ? 0 : stale)))
              .toBuilder()
              .setRun("ahead")
              .setStep(number)
              .setKeep(0.5)
              .build();
      Inbox inbox = new Inbox(Turns.always());
      inbox.beginStep("ahead", 0, number, SIZES.size(), Long.MAX_VALUE);
      try (TrainingStep step =
          new TrainingStep(
              plan,
              ahead.begin(number),
              device,
              STUDENT,
              VIEW,
              ahead,
              inbox,
              event -> take(event, inbox, sent),
              3,
              DROP_PATH,
              held -> {})) {
        StepInterpreter.run(plan, BATCH, step);
        sent.agreements.add(step.agreement());
      }
      of.step(rate);
    }
    return sent;
  }

  private static void take(StudentEvent event, Inbox inbox, Sent sent) {
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(1 << 20);
    if (event.hasOffered()) {
      String name = name(event.getOffered().getKey());
      event.getOffered().getTensorsList().forEach(assembler::add);
      sent.order.add("A" + name);
      sent.kept.put(name, named(assembler.finish(), "kept_indices").ints());
      return;
    }
    Forwarded forwarded = event.getForwarded();
    String name = name(forwarded.getKey());
    forwarded.getTensorsList().forEach(assembler::add);
    Map<String, NamedTensor> tensors = assembler.finish();
    sent.order.add("F" + name);
    NamedTensor kept = tensors.get("kept_indices");
    if (kept != null) {
      assertThat(sent.kept.put(name, kept.ints())).as(name).isNull();
    }
    // Any gradient that depends on the logits alone will do.
    float[] gradient = named(tensors, "logits").floats();
    assembler.add(TensorFrames.floats("logits_gradient", gradient, gradient.length / 4, 4));
    inbox.gradient(
        forwarded.getKey(), new Inbox.Gradient(assembler.finish(), LossParts.getDefaultInstance()));
  }

  private static NamedTensor named(Map<String, NamedTensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  private static Map<String, float[]> weights(Learner of) {
    Map<String, float[]> weights = new TreeMap<>();
    for (Map.Entry<String, NDArray> parameter : of.model().parameters().entrySet()) {
      weights.put(parameter.getKey(), Tensors.floats(parameter.getValue()));
    }
    return weights;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void steps_learningRateZero_sendTheSameMasksAndAgreeWholly(boolean recompute) throws Exception {
    Map<String, float[]> before = weights(learner);
    Sent fresh = train(learner, 0, 0, recompute);
    Sent stale = train(learner, 2, 0, recompute);

    assertThat(stale.order)
        .containsExactly(
            "F1.0", "F1.1", "F1.2", "A2.0", "A2.1", "F2.0", "F2.1", "F2.2", "A3.0", "A3.1", "F3.0",
            "F3.1", "F3.2");
    // The mask-only forward is the forward to the bit, drop-path and mixing on.
    assertThat(stale.kept.keySet()).isEqualTo(fresh.kept.keySet()).hasSize(9);
    fresh.kept.forEach((name, kept) -> assertThat(stale.kept.get(name)).as(name).isEqualTo(kept));
    assertThat(stale.agreements).extracting(MaskAgreement::samples).containsExactly(0, 9, 9);
    assertThat(stale.agreements).extracting(MaskAgreement::mean).containsExactly(0., 1., 1.);
    assertThat(fresh.agreements).extracting(MaskAgreement::samples).containsOnly(0);
    assertSame(weights(learner), before);
  }

  @Test
  void steps_gradientsThatDoNotLookAtTheTeacher_leaveTheSameWeights() throws Exception {
    try (Learner other = learner()) {
      train(learner, 0, 0.01, false);
      train(other, 3, 0.01, false);

      // A forward without gradient in the midst of a step leaves no trace in it.
      assertSame(weights(other), weights(learner));
    }
  }

  @Test
  void steps_weightsChange_masksAreThoseOfTheWeightsBefore() throws Exception {
    Sent fresh;
    Sent frozen;
    try (Learner other = learner();
        Learner still = learner()) {
      fresh = train(other, 0, 0.02, false);
      frozen = train(still, 0, 0, false);
    }
    Sent stale = train(learner, 2, 0.02, false);

    // In step 1 the weights are the initial ones, so what it chose for step 2 is what they choose.
    for (String name : List.of("2.0", "2.1")) {
      assertThat(stale.kept.get(name)).as(name).isEqualTo(frozen.kept.get(name));
      assertThat(stale.kept.get(name)).as(name).isNotEqualTo(fresh.kept.get(name));
    }
    assertThat(stale.kept.get("2.2")).isEqualTo(fresh.kept.get("2.2"));
    MaskAgreement second = stale.agreements.get(1);
    assertThat(second.mean())
        .isCloseTo(overlap(stale, fresh, "2.0", "2.1"), within(1e-12))
        .isBetween(0.3, 0.999);
  }

  /** By sets, image after image. */
  private static double overlap(Sent one, Sent other, String... names) {
    double common = 0;
    int rows = 0;
    for (String name : names) {
      int[] a = Objects.requireNonNull(one.kept.get(name));
      int[] b = Objects.requireNonNull(other.kept.get(name));
      for (int row = 0; row < a.length; row += KEPT) {
        Set<Integer> both = set(a, row);
        both.retainAll(set(b, row));
        common += both.size();
        rows++;
      }
    }
    return common / rows / KEPT;
  }

  private static Set<Integer> set(int[] values, int from) {
    Set<Integer> set = new HashSet<>();
    for (int i = from; i < from + KEPT; i++) {
      set.add(values[i]);
    }
    return set;
  }

  private static void assertSame(Map<String, float[]> found, Map<String, float[]> expected) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, values) -> assertThat(found.get(name)).as(name).isEqualTo(values));
  }

  @Test
  void agreement_knownOverlaps_isTheirMean() {
    MaskAgreement agreement = new MaskAgreement();
    agreement.add(new int[] {0, 1, 2, 3, 4, 6, 8, 10}, new int[] {0, 1, 2, 3, 5, 7, 8, 9}, 2);
    agreement.add(new int[] {0, 2, 4, 6}, new int[] {1, 3, 5, 7}, 1);

    assertThat(agreement.samples()).isEqualTo(3);
    assertThat(agreement.mean()).isCloseTo((1 + 0.25 + 0) / 3, within(1e-12));
  }

  @Test
  void forward_nothingWasHandedOver_isRefused() {
    LookAhead ahead = new LookAhead(this::batch);
    StepPlan first = StepPlan.newBuilder().setStep(4).setAttempt(1).build();
    StepPlan plan = StepPlan.newBuilder().setStep(5).setAttempt(1).build();
    ahead.handedOver(first, 0, new int[KEPT]);

    assertThat(ahead.of(plan, 0, KEPT)).hasSize(KEPT);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ahead.of(plan, 1, KEPT))
        .withMessageContaining("micro-batch 1 must have gone to the teachers in the step before")
        .withMessageContaining("found none");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ahead.of(plan, 0, PATCHES))
        .withMessageContaining("with 16 indices, found 8");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ahead.of(plan.toBuilder().setAttempt(2).build(), 0, KEPT))
        .withMessageContaining("attempt 2");
  }

  @Test
  void batches_lookedAhead_areTakenOnce() throws Exception {
    List<Long> taken = new ArrayList<>();
    LookAhead ahead =
        new LookAhead(
            step -> {
              taken.add(step);
              return batch(step);
            });
    ahead.begin(1);
    Batch next = ahead.after(1);

    assertThat(ahead.after(1)).isSameAs(next);
    assertThat(ahead.begin(2)).isSameAs(next);
    ahead.after(2);
    // Another coordinator begins again at step 2.
    ahead.begin(2);
    assertThat(taken).containsExactly(1L, 2L, 3L, 2L);
  }
}
