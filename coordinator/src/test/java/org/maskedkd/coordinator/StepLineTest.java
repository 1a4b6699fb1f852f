package org.maskedkd.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.LossParts;
import org.maskedkd.proto.v1.StepRecord;

class StepLineTest {
  private static final StepRecord NO_LOSS =
      StepRecord.newBuilder()
          .setStep(1)
          .setImages(10)
          .setLoss(LossParts.getDefaultInstance())
          .build();

  private static StepLine line(boolean teacher, String... overrides) {
    return StepLine.of(NO_LOSS, 1, House.config(teacher, overrides), null);
  }

  @Test
  void of_lossOfExactlyZero_isThereWhereItIsLearned() {
    String manifold = "distillation.manifold.weight=0.5";
    String related = "distillation.manifold.group=1";
    String attention = "distillation.attention.weight=2";

    assertThat(line(true, manifold, related).lossManifold()).isZero();
    assertThat(line(true, manifold, related).lossAttention()).isNull();
    assertThat(line(true, attention).lossAttention()).isZero();
    assertThat(line(true, attention).lossManifold()).isNull();
    assertThat(line(true).lossDistillation()).isZero();
  }

  @Test
  void of_noTeacher_hasNothingOfOne() {
    StepLine line = line(false);

    assertThat(line.lossBase()).isZero();
    assertThat(line.lossDistillation()).isNull();
    assertThat(line.lossManifold()).isNull();
    assertThat(line.lossAttention()).isNull();
    assertThat(line.teacherTop1()).isNull();
  }
}
