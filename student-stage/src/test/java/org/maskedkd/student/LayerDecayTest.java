package org.maskedkd.student;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.maskedkd.proto.v1.Optimization;
import org.maskedkd.tensor.GradMode;
import org.maskedkd.tensor.Gradients;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.AttentionRow;
import org.maskedkd.vit.ModelZoo;
import org.maskedkd.vit.VisionTransformer;

/** The first step of Adam moves every number by the learning rate of its layer. */
class LayerDecayTest {
  private static final double RATE = 1e-3;
  private static final double DECAY = 0.75;

  @BeforeAll
  static void start() {
    Torch.start(1);
  }

  @Test
  void step_layerDecay_movesEachLayerByItsShareOfTheRate() {
    VisionTransformer model =
        VisionTransformer.initialised(
            ModelZoo.parse("vit:image=16,patch=4,width=32,depth=2,heads=2,classes=4"),
            5,
            Precision.FP32,
            VisionTransformer.Mode.TRAINABLE);
    Optimization recipe =
        Optimization.newBuilder()
            .setBeta1(0.9)
            .setBeta2(0.999)
            .setEpsilon(1e-12)
            .setLayerDecay(DECAY)
            .build();
    try (Learner learner = new Learner(model, recipe)) {
      Map<String, float[]> before = values(model);
      byte[] images = new byte[2 * 3 * 16 * 16];
      new SplittableRandom(3).nextBytes(images);
      try (GradMode on = GradMode.on();
          Scope scope = Scope.open()) {
        NDArray logits =
            new StudentForward(model, AttentionRow.LAST_CLASS)
                .run(scope, ByteBuffer.wrap(images), 2, null, false)
                .logits();
        Gradients.backward(
            logits, Tensors.of(scope.manager(), new float[] {1, -2, 3, -1, 2, 1, -3, 1}, 2, 4));
      }

      learner.step(RATE);

      Map<String, Double> shares = new LinkedHashMap<>();
      shares.put("head.weight", 1.0);
      shares.put("norm.weight", 1.0);
      shares.put("blocks.1.mlp.fc2.weight", DECAY);
      shares.put("blocks.0.attn.proj.weight", DECAY * DECAY);
      shares.put("patch_embed.proj.weight", DECAY * DECAY * DECAY);
      shares.put("pos_embed", DECAY * DECAY * DECAY);
      shares.put("cls_token", DECAY * DECAY * DECAY);
      Map<String, float[]> after = values(model);
      shares.forEach(
          (name, share) -> {
            float[] old = requireNonNull(before.get(name));
            float[] now = requireNonNull(after.get(name));
            for (int i = 0; i < now.length; i += 7) {
              assertThat((double) Math.abs(now[i] - old[i]))
                  .as("%s[%d]", name, i)
                  .isCloseTo(RATE * share, within(2e-6));
            }
          });
    }
  }

  private static Map<String, float[]> values(VisionTransformer model) {
    Map<String, float[]> values = new LinkedHashMap<>();
    model.parameters().forEach((name, p) -> values.put(name, Tensors.floats(p)));
    return values;
  }
}
