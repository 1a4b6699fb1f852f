package org.maskedkd.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ErasingTest {
  @Test
  void normalQuantiles_knownOnes_areTabulated() {
    double[] quantiles = Erasing.normalQuantiles();

    assertThat(quantiles[2047]).isCloseTo(-quantiles[2048], within(2e-4));
    // The standard normal's 97.5 and 84.134 per cent points.
    assertThat(quantiles[(int) (0.975 * 4096)]).isCloseTo(1.95996, within(3e-3));
    assertThat(quantiles[(int) (0.841345 * 4096)]).isCloseTo(1, within(1e-3));
    assertThat(Arrays.stream(quantiles).map(q -> q * q).average().orElseThrow())
        .isCloseTo(1, within(2e-3));
  }

  @Test
  void erase_manyImages_leaveOneRectangleOfNoiseWithTheGivenStatistics() {
    double[] mean = {0.5, 0.4, 0.6};
    double[] std = {0.1, 0.1, 0.05};
    Erasing erasing = new Erasing(mean, std);
    int size = 40;
    double[] sum = new double[3];
    double[] squares = new double[3];
    long erased = 0;
    for (int i = 0; i < 300; i++) {
      byte[] images = new byte[2 * 3 * size * size];
      erasing.erase(images, 3 * size * size, size, Draws.of(9, Draws.Stream.ERASE, i));
      int[] box = bounds(images, size);
      int area = (box[1] - box[0] + 1) * (box[3] - box[2] + 1);
      assertThat(area / (double) (size * size)).as("seed 9, %d", i).isBetween(0.01, 0.36);
      erased += area;
      for (int c = 0; c < 3; c++) {
        for (int k = 0; k < size * size; k++) {
          int v = images[(3 + c) * size * size + k] & 0xFF;
          sum[c] += v;
          squares[c] += v * v;
        }
      }
      for (int k = 0; k < 3 * size * size; k++) {
        assertThat(images[k]).isZero();
      }
    }
    for (int c = 0; c < 3; c++) {
      double average = sum[c] / erased;
      assertThat(average).as("seed 9").isCloseTo(mean[c] * 255, within(0.5));
      double deviation = Math.sqrt(squares[c] / erased - average * average);
      assertThat(deviation).as("seed 9").isCloseTo(std[c] * 255, within(0.5));
    }
  }

  /**
   * First and last row and column of the second image's red plane that are not zero; all between
   * are noise.
   */
  private static int[] bounds(byte[] images, int size) {
    int[] box = {size, -1, size, -1};
    for (int k = 0; k < size * size; k++) {
      if (images[3 * size * size + k] != 0) {
        box[0] = Math.min(box[0], k / size);
        box[1] = Math.max(box[1], k / size);
        box[2] = Math.min(box[2], k % size);
        box[3] = Math.max(box[3], k % size);
      }
    }
    return box;
  }
}
