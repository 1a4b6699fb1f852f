package org.maskedkd.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CostFitTest {

  private static List<CostFit.Point> line(double fixed, double perSample, int... samples) {
    List<CostFit.Point> points = new ArrayList<>();
    for (int n : samples) {
      points.add(new CostFit.Point(n, fixed + perSample * n));
    }
    return points;
  }

  @Test
  void of_pointsOnALine_findsIt() {
    CostFit fit = CostFit.of(line(0.25, 0.5, 1, 4, 16));
    assertThat(fit.fixed()).isCloseTo(0.25, within(1e-9));
    assertThat(fit.perSample()).isCloseTo(0.5, within(1e-9));
    assertThat(fit.residual()).isCloseTo(0, within(1e-9));
    assertThat(fit.outlier()).isEqualTo(-1);
    assertThat(fit.fixed() + fit.perSample() * 10).isCloseTo(5.25, within(1e-9));
  }

  @Test
  void of_oneMeasurementFarOff_leavesItOut() {
    List<CostFit.Point> points = line(0.1, 0.02, 1, 2, 8, 32, 64);
    points.set(2, new CostFit.Point(8, 1.3));
    CostFit fit = CostFit.of(points);
    assertThat(fit.outlier()).isEqualTo(2);
    assertThat(fit.fixed()).isCloseTo(0.1, within(1e-9));
    assertThat(fit.perSample()).isCloseTo(0.02, within(1e-9));
  }

  @Test
  void of_evenNoise_keepsAllPoints() {
    long seed = 5;
    Random random = new Random(seed);
    List<CostFit.Point> points = new ArrayList<>();
    for (CostFit.Point point : line(0.01, 0.003, 1, 2, 4, 8, 16, 32, 64, 128)) {
      double noise = 1 + 0.1 * random.nextGaussian();
      points.add(new CostFit.Point(point.samples(), point.seconds() * noise));
    }
    CostFit fit = CostFit.of(points);
    assertThat(fit.outlier()).as("seed %d", seed).isEqualTo(-1);
    assertThat(fit.residual()).isBetween(0.01, 0.2);
    assertThat(fit.fixed() + fit.perSample() * 64).isCloseTo(0.01 + 0.003 * 64, within(0.03));
  }

  @Test
  void of_lineThatWouldCrossBelowZero_hasNoNegativeCoefficient() {
    // Relative least squares of y = s x through (1, 1) and (2, 3): s = (1 + 2/3) / (1 + 4/9).
    CostFit steep = CostFit.of(List.of(new CostFit.Point(1, 1), new CostFit.Point(2, 3)));
    assertThat(steep.fixed()).isZero();
    assertThat(steep.perSample()).isCloseTo(15.0 / 13, within(1e-9));
    // Of y = c through (1, 2) and (2, 1): c = (1/2 + 1) / (1/4 + 1).
    CostFit falling = CostFit.of(List.of(new CostFit.Point(1, 2), new CostFit.Point(2, 1)));
    assertThat(falling.perSample()).isZero();
    assertThat(falling.fixed()).isCloseTo(1.2, within(1e-9));
    assertThat(falling.residual()).isCloseTo(Math.sqrt((0.16 + 0.04) / 2), within(1e-9));
  }

  @Test
  void of_tooLittle_isNamed() {
    assertThatThrownBy(
            () -> CostFit.of(List.of(new CostFit.Point(4, 1), new CostFit.Point(4, 1.1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("two different numbers of samples");
    assertThatThrownBy(() -> CostFit.of(List.of(new CostFit.Point(4, 1), new CostFit.Point(8, 0))))
        .hasMessageContaining("samples=8, seconds=0.0");
  }
}
