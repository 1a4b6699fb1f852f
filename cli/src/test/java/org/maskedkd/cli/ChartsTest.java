package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Axes, curves and points of a report. */
class ChartsTest {

  private static List<String> labels(ChartAxis axis) {
    return axis.ticks().stream().map(axis::label).toList();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 1 | 0.0 0.2 0.4 0.6 0.8 1.0",
        "0 | 57.3 | 0 10 20 30 40 50 60",
        "0.52 | 0.58 | 0.52 0.53 0.54 0.55 0.56 0.57 0.58",
        "-3 | 4 | -4 -2 0 2 4",
        "7 | 7 | 7.0 7.2 7.4 7.6 7.8",
        "0 | 0 | 0.0 0.2 0.4 0.6 0.8 1.0",
        "0 | 120000 | 0 20k 40k 60k 80k 100k 120k",
        "0 | 3e7 | 0 5M 10M 15M 20M 25M 30M",
      })
  void rounded_range_hasFewRoundTicksAroundIt(double low, double high, String expected) {
    ChartAxis axis = ChartAxis.rounded(low, high, 6);

    assertThat(String.join(" ", labels(axis))).isEqualTo(expected);
    assertThat(axis.low()).isLessThanOrEqualTo(low + 1e-12);
    assertThat(axis.high()).isGreaterThanOrEqualTo(high - 1e-12);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1 | 5 | 1 2 3 4 5",
        "1 | 1 | 1 2",
        "1 | 2500 | 500 1000 1500 2000 2500",
        "1 | 100000 | 20k 40k 60k 80k 100k",
      })
  void whole_range_endsWithItAndHasWholeTicks(double low, double high, String expected) {
    ChartAxis axis = ChartAxis.whole(low, high, 6);

    assertThat(String.join(" ", labels(axis))).isEqualTo(expected);
    assertThat(axis.low()).isEqualTo(low);
  }

  @Test
  void thinned_moreThanWanted_areMeansWithTheLeastAndGreatest() {
    double[] x = {1, 2, 3, 4, 5, 6};
    double[] y = {10, 20, Double.NaN, 40, 80, 60};

    ChartSeries series = ChartSeries.of("a", 0, x, y).thinned(2);

    // Five finite values: two, then three.
    assertThat(series.x()).containsExactly(1.5, 5);
    assertThat(series.y()).containsExactly(15, 60);
    assertThat(series.low()).containsExactly(10, 40);
    assertThat(series.high()).containsExactly(20, 80);
    assertThat(series.hasBand()).isTrue();
  }

  @Test
  void thinned_fewEnough_areAsTheyWere() {
    ChartSeries series =
        ChartSeries.of("a", 0, new double[] {1, 2}, new double[] {3, 4}).thinned(5);

    assertThat(series.x()).containsExactly(1, 2);
    assertThat(series.y()).containsExactly(3, 4);
    assertThat(series.hasBand()).isFalse();
    assertThat(ChartSeries.of("a", 0, new double[0], new double[0]).thinned(5).isEmpty()).isTrue();
  }

  @Test
  void thinned_anyCount_coversEveryValueOnce() {
    double[] x = IntStream.rangeClosed(1, 1009).asDoubleStream().toArray();

    ChartSeries series = ChartSeries.of("a", 0, x, x).thinned(100);

    assertThat(series.low()[0]).isEqualTo(1);
    assertThat(series.high()[99]).isEqualTo(1009);
    for (int i = 1; i < 100; i++) {
      assertThat(series.low()[i]).isEqualTo(series.high()[i - 1] + 1);
    }
  }

  @Test
  void draw_curve_reachesFromCornerToCorner() {
    Html html = new Html();
    new LineChart("title", "step", "loss", /* fromZero= */ true)
        .draw(
            html,
            List.of(
                ChartSeries.of("a", 3, new double[] {0, 10}, new double[] {0, 6}).withMarks(),
                ChartSeries.of("empty", 4, new double[0], new double[0])),
            /* legend= */ true);

    assertThat(html.toString())
        .contains("class=\"line s3\" data-name=\"a\" points=\"64,250 506,12\"")
        .contains("data-range=\"0.0 10.0 0.0 6.0\"")
        .doesNotContain("empty");
  }

  @Test
  void draw_nothing_saysSo() {
    Html html = new Html();
    new LineChart("title", "step", "loss", /* fromZero= */ true).draw(html, List.of(), true);

    assertThat(html.toString()).contains("Nothing of it was recorded").doesNotContain("<svg");
  }

  @Test
  void draw_pointsThatCoverOneAnother_standSideBySide() {
    Html html = new Html();
    new CostChart("title", "cost")
        .draw(
            html,
            List.of(
                new CostChart.Point(1, "one", 0, 50, 40, 2),
                new CostChart.Point(2, "two", 1, 50, 40, Double.NaN),
                new CostChart.Point(3, "three", 2, 100, 50, Double.NaN)));

    assertThat(html.toString())
        .contains("one: 40.00 % ± 2.00", "two: 40.00 %<")
        .contains("cx=\"285\"", "cx=\"303\"", "cx=\"506\"")
        .contains("M285 ", "H303");
  }
}
