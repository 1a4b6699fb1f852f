package org.maskedkd.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ImageOpsTest {
  private static final double[] MEAN = {0.485, 0.456, 0.406};
  private static final double[] STD = {0.229, 0.224, 0.225};

  private static byte[] pixels(int count, long seed) {
    byte[] values = new byte[count];
    new SplittableRandom(seed).nextBytes(values);
    return values;
  }

  private static NDArray uint8(Scope scope, byte[] values, long... shape) {
    return Tensors.fromBytes(scope.manager(), ByteBuffer.wrap(values), DataType.UINT8, shape);
  }

  private static byte[] bytes(NDArray array) {
    ByteBuffer view = Tensors.bytes(array);
    byte[] copy = new byte[view.remaining()];
    view.get(copy);
    return copy;
  }

  @Test
  void patches_nonSquareGrid_areRowMajorAndChannelByChannel() {
    // Pixel value = its own position, so that the layout can be read off.
    int h = 4;
    int w = 6;
    byte[] image = new byte[2 * h * w];
    IntStream.range(0, image.length).forEach(i -> image[i] = (byte) i);
    byte[] expected = new byte[image.length];
    int to = 0;
    for (int row = 0; row < 2; row++) {
      for (int column = 0; column < 3; column++) {
        for (int c = 0; c < 2; c++) {
          for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 2; j++) {
              expected[to++] = image[(c * h + row * 2 + i) * w + column * 2 + j];
            }
          }
        }
      }
    }
    try (Scope scope = Scope.open()) {
      NDArray patches = Ops.patches(uint8(scope, image, 1, 2, h, w), 2);
      assertThat(patches.getShape().getShape()).containsExactly(1, 6, 8);
      assertThat(patches.getDataType()).isEqualTo(DataType.UINT8);
      assertThat(bytes(patches)).isEqualTo(expected);
    }
  }

  @Test
  void patches_sideThatIsNoMultiple_isRefused() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> Ops.patches(Tensors.zeros(scope.manager(), 1, 3, 32, 30), 4))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("(1, 3, 32, 30)")
          .hasMessageContaining("patches of 4");
    }
  }

  @Test
  void normalizePatches_everyByteValue_hasTheBitsOfNormalizeImages() {
    byte[] values = pixels(2 * 3 * 24 * 40, 5);
    try (Scope scope = Scope.open()) {
      NDArray images = uint8(scope, values, 2, 3, 24, 40);
      byte[] patched = bytes(Ops.normalizePatches(Ops.patches(images, 8), MEAN, STD));
      byte[] normal = bytes(Ops.patches(Ops.normalizeImages(images, MEAN, STD), 8));
      assertThat(patched).isEqualTo(normal);
      assertThat(bytes(images)).as("the input").isEqualTo(values);
    }
  }

  @Test
  void normalizeImages_everyByteValue_isTheFormula() {
    byte[] values = new byte[3 * 256];
    double[] expected = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (byte) i;
      expected[i] = ((i % 256) / 255.0 - MEAN[i / 256]) / STD[i / 256];
    }
    try (Scope scope = Scope.open()) {
      NDArray images = uint8(scope, values, 1, 3, 16, 16);
      Reference.assertClose(
          "normal", Tensors.floats(Ops.normalizeImages(images, MEAN, STD)), expected, 2e-7);
    }
  }

  @Test
  void resize_goldenFile_isWithinItsTolerance() throws IOException {
    try (Scope scope = Scope.open();
        InputStream file =
            ImageOpsTest.class.getResourceAsStream("/golden/interpolate.safetensors")) {
      NDList golden = NDList.decode(scope.manager(), file.readAllBytes());
      NDArray scores = golden.get("scores_14x14").reshape(2, 1, 14, 14);
      for (int[] size : new int[][] {{16, 16}, {24, 24}, {10, 12}}) {
        NDArray found = Ops.resizeBilinear(scores, size[0], size[1]);
        assertGolden(golden, "scores_" + size[0] + "x" + size[1], found);
      }
      NDArray image = golden.get("image_32x32");
      for (int[] size : new int[][] {{48, 48}, {24, 40}, {20, 20}}) {
        NDArray found = Ops.resizeBilinear(image, size[0], size[1]);
        assertGolden(golden, "image_bilinear_" + size[0] + "x" + size[1], found);
      }
      assertGolden(golden, "image_bicubic_48x48", Ops.resizeBicubic(image, 48, 48));
    }
  }

  private static void assertGolden(NDList golden, String name, NDArray found) {
    double[] expected = Reference.widen(Tensors.floats(golden.get(name)));
    Reference.assertClose(name, Tensors.floats(found), expected, 2e-5);
  }

  @Test
  void resample_constantImage_staysConstant() {
    byte[] values = new byte[3 * 37 * 53];
    Arrays.fill(values, (byte) 201);
    try (Scope scope = Scope.open()) {
      NDArray image = uint8(scope, values, 1, 3, 37, 53);
      for (Filter filter : Filter.values()) {
        for (int[] size : new int[][] {{16, 16}, {64, 80}}) {
          byte[] found = bytes(Ops.resample(image, size[0], size[1], filter));
          assertThat(found).hasSize(3 * size[0] * size[1]).containsOnly(201);
        }
      }
    }
  }

  @Test
  void resample_halvedBilinear_weighsFourPixelsAsATriangle() {
    // Halving: support 2 pixels on both sides of a centre between two: weights 1, 3, 3, 1 over 8.
    int[] row = {10, 60, 20, 200, 90, 30, 250, 70};
    byte[] values = new byte[8 * 8];
    IntStream.range(0, 64).forEach(i -> values[i] = (byte) row[i % 8]);
    try (Scope scope = Scope.open()) {
      byte[] found = bytes(Ops.resample(uint8(scope, values, 1, 1, 8, 8), 4, 4, Filter.BILINEAR));
      for (int i = 0; i < 16; i++) {
        int column = i % 4;
        double weighted = 0;
        double total = 0;
        for (int tap = 0; tap < 4; tap++) {
          int from = 2 * column - 1 + tap;
          double weight = tap == 0 || tap == 3 ? 1 : 3;
          if (from >= 0 && from < 8) {
            weighted += weight * row[from];
            total += weight;
          }
        }
        assertThat((double) Byte.toUnsignedInt(found[i]))
            .isBetween(weighted / total - 1, weighted / total + 1);
      }
    }
  }

  @Test
  void resample_floatImage_isRefused() {
    try (Scope scope = Scope.open()) {
      NDArray image = Tensors.zeros(scope.manager(), 1, 3, 8, 8);
      assertThatThrownBy(() -> Ops.resample(image, 4, 4, Filter.BICUBIC))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("uint8")
          .hasMessageContaining("float32");
    }
  }
}
