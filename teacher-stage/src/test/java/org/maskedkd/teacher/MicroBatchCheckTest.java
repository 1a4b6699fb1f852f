package org.maskedkd.teacher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.maskedkd.proto.v1.Features;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.Tensor;
import org.maskedkd.runtime.TensorFrames;
import org.maskedkd.runtime.TensorFrames.NamedTensor;
import org.maskedkd.vit.ModelZoo;

class MicroBatchCheckTest {
  // 4 patches of 3 x 4 x 4 bytes.
  private static final MicroBatchCheck CHECK =
      new MicroBatchCheck(ModelZoo.parse("vit:image=8,patch=4,width=16,depth=1,heads=2,classes=3"));

  private static final MicroBatchKey KEY =
      MicroBatchKey.newBuilder().setRun("r").setStep(1204).setIndex(3).build();

  private static Map<String, NamedTensor> tensors(Tensor... tensors) {
    TensorFrames.Assembler assembler = new TensorFrames.Assembler(1 << 20);
    Stream.of(tensors).forEach(assembler::add);
    return assembler.finish();
  }

  private static Tensor indices(int batch, int kept, int... values) {
    return TensorFrames.ints("kept_indices", values, batch, kept);
  }

  private static Tensor patches(int batch, int kept, int bytes) {
    return TensorFrames.bytes(
        "kept_patches", ByteBuffer.allocate(batch * kept * bytes), batch, kept, bytes);
  }

  @Test
  void check_soundMicroBatch_isTaken() {
    MicroBatchCheck.Checked checked =
        CHECK.check(
            KEY,
            tensors(indices(2, 2, 0, 3, 1, 2), patches(2, 2, 48)),
            Features.getDefaultInstance(),
            0);
    assertThat(checked.batch()).isEqualTo(2);
    assertThat(checked.kept()).containsExactly(0, 3, 1, 2);
    assertThat(checked.patches().bytes().remaining()).isEqualTo(2 * 2 * 48);
  }

  static Stream<Arguments> unsound() {
    return Stream.of(
        Arguments.of(
            new Tensor[] {indices(1, 2, 0, 4), patches(1, 2, 48)},
            "kept index 4 of image 0 is outside the teacher's grid of 4 patches"),
        Arguments.of(new Tensor[] {indices(1, 2, -1, 2), patches(1, 2, 48)}, "kept index -1"),
        Arguments.of(
            new Tensor[] {indices(2, 2, 0, 1, 3, 2), patches(2, 2, 48)},
            "kept indices of image 1 must ascend, found 2 after 3"),
        Arguments.of(
            new Tensor[] {indices(1, 2, 1, 1), patches(1, 2, 48)}, "must ascend, found 1 after 1"),
        Arguments.of(
            new Tensor[] {indices(1, 2, 0, 1), patches(1, 3, 48)},
            "kept_patches must have shape [1, 2, 48]"),
        Arguments.of(new Tensor[] {indices(1, 2, 0, 1), patches(1, 2, 12)}, "found [1, 2, 12]"),
        Arguments.of(new Tensor[] {patches(1, 2, 48)}, "lacks the tensor kept_indices"),
        Arguments.of(
            new Tensor[] {
              TensorFrames.floats("kept_indices", new float[] {0, 1}, 1, 2), patches(1, 2, 48)
            },
            "kept_indices must be DTYPE_INT32 of rank 2"));
  }

  @ParameterizedTest
  @MethodSource("unsound")
  void check_unsoundMicroBatch_isRefusedWithTheValues(Tensor[] tensors, String message) {
    assertThatThrownBy(() -> CHECK.check(KEY, tensors(tensors), Features.getDefaultInstance(), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("micro-batch 3 of step 1204")
        .hasMessageContaining(message);
  }
}
