package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelZoo;

class ColocatedStepTest {
  @Test
  void step_inPiecesOrInOne_hasTheSameGradient() {
    Torch.start(1);
    double whole = gradientNorm(8);

    assertThat(whole).isPositive();
    assertThat(gradientNorm(3)).isCloseTo(whole, within(1e-4 * whole));
  }

  private static double gradientNorm(int microBatch) {
    try (ColocatedStep step =
        new ColocatedStep(
            ModelZoo.parse(TinyRun.STUDENT),
            ModelZoo.parse(TinyRun.TEACHER),
            8,
            0.5,
            Precision.FP32)) {
      return step.run(microBatch);
    }
  }
}
