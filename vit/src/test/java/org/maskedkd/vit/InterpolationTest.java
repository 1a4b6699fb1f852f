package org.maskedkd.vit;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.maskedkd.tensor.Ops;
import org.maskedkd.tensor.Scope;
import org.maskedkd.tensor.Tensors;

final class InterpolationTest {

  @ParameterizedTest
  @CsvSource({"bilinear, 48, 48", "bilinear, 24, 40", "bilinear, 20, 20", "bicubic, 48, 48"})
  void resize_golden_isNearTheExactImage(String kind, int height, int width) {
    try (Scope scope = Scope.open()) {
      NDArray image =
          Tensors.of(scope.manager(), Golden.floats("interpolate", "image_32x32"), 2, 3, 32, 32);
      NDArray resized =
          kind.equals("bilinear")
              ? Ops.resizeBilinear(image, height, width)
              : Ops.resizeBicubic(image, height, width);
      float[] expected =
          Golden.floats("interpolate", "image_%s_%dx%d".formatted(kind, height, width));
      assertThat(Golden.off(Tensors.floats(resized), expected)).isLessThan(2e-5);
    }
  }
}
