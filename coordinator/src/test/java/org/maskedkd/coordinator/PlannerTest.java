package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Action;
import org.maskedkd.proto.v1.StepPlan;

class PlannerTest {

  @Test
  void plan_givenSizes_keepsThem() {
    Planner planner = new Planner(config("schedule.micro-batches=[1, 4, 5]"), 100);

    StepPlan plan = planner.plan(101, 2, 0, true).toMessage("run");

    assertThat(plan.getMicroBatchSizesList()).isEqualTo(List.of(1, 4, 5));
    assertThat(plan.getEpoch()).isEqualTo(1);
    assertThat(plan.getStep()).isEqualTo(101);
    assertThat(plan.getAttempt()).isEqualTo(2);
    assertThat(plan.getWindowSamples()).isEqualTo(10);
    assertThat(plan.getOrder()).isEqualTo("eager");
    assertThat(plan.getActionsList().stream().map(PlannerTest::letter).toList())
        .containsExactly("FORWARD0", "FORWARD1", "FORWARD2", "BACKWARD0", "BACKWARD1", "BACKWARD2");
    assertThat(plan.getKeep()).isEqualTo(0.5);
  }

  @Test
  void plan_keepEnd_isReachedInEqualStepsOfEpochs() {
    Planner planner =
        new Planner(config("masking.keep=1", "masking.keep-end=0.25", "schedule.epochs=4"), 10);

    assertThat(planner.plan(1, 1, 0, true).keep()).isEqualTo(1);
    assertThat(planner.plan(10, 1, 0, true).keep()).isEqualTo(1);
    assertThat(planner.plan(11, 1, 0, true).keep()).isCloseTo(0.75, within(1e-15));
    assertThat(planner.plan(21, 1, 0, true).keep()).isCloseTo(0.5, within(1e-15));
    assertThat(planner.plan(40, 1, 0, true).keep()).isEqualTo(0.25);
  }

  @Test
  void plan_keepEndAllPatches_isNeverMoreThanAll() {
    for (int hundredths = 1; hundredths < 100; hundredths++) {
      RunConfig.Masking masking =
          config("masking.keep=" + hundredths / 100.0, "masking.keep-end=1").masking();
      for (int epochs = 2; epochs < 30; epochs++) {
        for (int epoch = 0; epoch < epochs; epoch++) {
          assertThat(masking.keepIn(epoch, epochs)).isBetween(hundredths / 100.0, 1.0);
        }
        assertThat(masking.keepIn(epochs - 1, epochs)).isEqualTo(1);
      }
    }
  }

  @Test
  void plan_noTeacher_keepsNothing() {
    assertThat(new Planner(config("teacher.model="), 5).plan(1, 1, 0, true).keep()).isZero();
  }

  @Test
  void plan_lastStepOfAnEpoch_belongsToIt() {
    Planner planner = new Planner(config(), 5);

    assertThat(planner.epoch(5)).isZero();
    assertThat(planner.epoch(6)).isEqualTo(1);
  }

  @Test
  void rates_beginningsOfEpochs_areThoseOfThePublishedRecipe() {
    // "train_lr" of DeiT's own log for batch 1024, which its scheduler gave to whole epochs.
    LearningRates rates =
        new LearningRates(
            new RunConfig.Optimizer(1e-3, 1e-5, 5, 1e-6, 0.9, 0.999, 1e-8, 0.05, 0, 1), 300, 1000);

    assertThat(rates.at(1)).isCloseTo(1e-6, within(1e-18));
    assertThat(rates.at(1001)).isCloseTo(2.008e-4, within(1e-15));
    assertThat(rates.at(4001)).isCloseTo(8.002e-4, within(1e-15));
    // 1e-5 + 0.99e-3 (1 + cos(pi 5/300)) / 2
    assertThat(rates.at(5001)).isCloseTo(9.99321e-4, within(1e-9));
    // Halfway, the cosine is 0.
    assertThat(rates.at(150_001)).isCloseTo(5.05e-4, within(1e-15));
    assertThat(rates.at(300_000)).isCloseTo(1e-5, within(1e-9));
  }

  @Test
  void rates_betweenEpochs_moveWithEachStep() {
    LearningRates rates =
        new LearningRates(
            new RunConfig.Optimizer(1e-3, 0, 1, 0, 0.9, 0.999, 1e-8, 0.05, 0, 1), 2, 4);

    assertThat(rates.at(2)).isCloseTo(2.5e-4, within(1e-15));
    assertThat(rates.at(4)).isCloseTo(7.5e-4, within(1e-15));
    assertThat(rates.at(5)).isCloseTo(5e-4, within(1e-15));
  }

  private static String letter(Action action) {
    return action.getOperation().name().substring("OPERATION_".length()) + action.getIndex();
  }

  @Test
  void sizes_auto_beginsWithEightPartsOrAsManyAsTheWindowNeeds() {
    RunConfig eight = config("schedule.micro-batches=auto", "schedule.batch=80");
    RunConfig many =
        config("schedule.micro-batches=auto", "schedule.batch=80", "schedule.window=8");

    assertThat(Planner.sizes(eight.schedule())).hasSize(8).containsOnly(10);
    assertThat(Planner.sizes(many.schedule())).hasSize(10).containsOnly(8);
    assertThat(Planner.largest(many.schedule())).isEqualTo(8);
  }

  private static RunConfig config(String... overrides) {
    String yaml =
        """
        student: {model: tiny}
        teacher: {model: small, weights: w}
        data: {train: x, eval: x}
        schedule: {batch: 10}
        """;
    return ConfigLoader.parse(yaml, "test.yaml", List.of(overrides));
  }
}
