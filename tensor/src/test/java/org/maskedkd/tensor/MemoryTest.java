package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Native memory is invisible to the Java heap, so a leak shows in the process alone. */
class MemoryTest {
  /** One leaked activation of 64 kB per step would make 32 MB in the short form. */
  private static final long MARGIN_BYTES = 24L << 20;

  @Test
  void trainingSteps_fiveHundred_doNotGrow() {
    assertFlat(/* warmUp= */ 100, /* steps= */ 500);
  }

  @Test
  @Tag("soak")
  void trainingSteps_tenThousand_doNotGrow() {
    assertFlat(/* warmUp= */ 500, /* steps= */ 10_000);
  }

  private static void assertFlat(int warmUp, int steps) {
    SplittableRandom random = new SplittableRandom(3);
    try (NDManager manager = Torch.manager().newSubManager()) {
      NDArray w =
          Tensors.requireGradient(Tensors.of(manager, Reference.normal(random, 96, 32), 96, 32));
      NDArray b = Tensors.requireGradient(Tensors.zeros(manager, 96));
      float[] x = Reference.normal(random, 16, 32, 32);
      List<NDArray> parameters = List.of(w, b);
      try (Gradients gradients = new Gradients(parameters);
          Ema ema = new Ema(parameters, 0.99);
          AdamW adamW = new AdamW(List.of(new AdamW.Group(parameters, 0.05)), 0.9, 0.999, 1e-8)) {
        long before = 0;
        int arrays = 0;
        for (int i = 0; i < warmUp + steps; i++) {
          if (i == warmUp) {
            before = ProcessMemory.residentBytes();
            arrays = manager.getManagedArrays().size();
          }
          try (Scope scope = Scope.open();
              GradMode on = GradMode.on()) {
            NDArray input = Tensors.of(scope.manager(), x, 16, 32, 32);
            NDArray y = Ops.selfAttention(Ops.linear(input, w, b), 4);
            Ops.classAttention(Ops.linear(input, w, b), 4);
            Gradients.backward(y, y.stopGradient());
            gradients.clip(1);
            adamW.step(gradients, 1e-3);
            ema.update();
            gradients.zero();
          }
        }
        assertThat(manager.getManagedArrays().size()).isEqualTo(arrays);
        assertThat(ProcessMemory.residentBytes() - before).isLessThan(MARGIN_BYTES);
      }
    }
  }
}
