package org.maskedkd.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * Accuracy against the teacher's work (Fig. 6 and 9 of the paper): a numbered point for each row,
 * with its deviation. Points that would cover one another stand side by side.
 */
final class CostChart {
  private static final double RADIUS = 9;

  /**
   * A point.
   *
   * @param number as in the table, from 1 on
   * @param cost of the teacher for an image
   * @param top1 in percent
   * @param deviation in percent points; NaN where there is none
   */
  record Point(int number, String name, int color, double cost, double top1, double deviation) {
    private double reach() {
      return Double.isFinite(deviation) ? deviation : 0;
    }
  }

  private final String title;
  private final String xName;

  /**
   * @param xName of the cost, with its unit
   */
  CostChart(String title, String xName) {
    this.title = title;
    this.xName = xName;
  }

  /** Draws the points; a sentence instead when there are none. */
  void draw(Html html, List<Point> points) {
    html.open("figure").element("figcaption", title);
    if (points.isEmpty()) {
      html.element("p", "No finished run whose teacher's work is known.", "class", "none").close();
      return;
    }
    double most = points.stream().mapToDouble(Point::cost).max().orElse(0);
    ChartAxis x = ChartAxis.rounded(0, Math.max(most, 1e-9), 6);
    ChartAxis y =
        ChartAxis.rounded(
            points.stream().mapToDouble(p -> p.top1() - p.reach()).min().orElse(0),
            points.stream().mapToDouble(p -> p.top1() + p.reach()).max().orElse(0),
            6);
    html.open(
        "svg",
        "xmlns",
        "http://www.w3.org/2000/svg",
        "class",
        "chart",
        "viewBox",
        "0 0 " + LineChart.WIDTH + " " + LineChart.HEIGHT,
        "role",
        "img",
        "aria-label",
        title);
    LineChart.axes(html, x, y, xName, "top-1 in %");
    List<double[]> places = new ArrayList<>();
    for (Point point : points) {
      lines(html, point, x, y, places);
    }
    for (int i = 0; i < points.size(); i++) {
      mark(html, points.get(i), places.get(i));
    }
    html.close().close();
  }

  /** What lies below the points: deviations, and lines to where a point belongs. */
  private static void lines(
      Html html, Point point, ChartAxis x, ChartAxis y, List<double[]> places) {
    int bottom = LineChart.HEIGHT - LineChart.BOTTOM;
    double atY = y.place(point.top1(), bottom, LineChart.TOP);
    double trueX =
        x.place(point.cost(), LineChart.LEFT, LineChart.WIDTH - (double) LineChart.RIGHT);
    double atX = free(trueX, atY, places);
    places.add(new double[] {atX, atY});
    String color = "s" + point.color();
    if (point.reach() > 0) {
      html.empty(
          "path",
          "class",
          "error " + color,
          "d",
          "M%s %sV%s"
              .formatted(
                  LineChart.point(atX),
                  LineChart.point(y.place(point.top1() - point.reach(), bottom, LineChart.TOP)),
                  LineChart.point(y.place(point.top1() + point.reach(), bottom, LineChart.TOP))));
    }
    if (atX != trueX) {
      html.empty(
          "path",
          "class",
          "error " + color,
          "d",
          "M%s %sH%s"
              .formatted(LineChart.point(trueX), LineChart.point(atY), LineChart.point(atX)));
    }
  }

  private static void mark(Html html, Point point, double[] place) {
    html.open("g");
    html.element(
        "title",
        "%s: %.2f %%%s"
            .formatted(
                point.name(),
                point.top1(),
                point.reach() > 0 ? " ± %.2f".formatted(point.reach()) : ""));
    html.empty(
        "circle",
        "class",
        "mark s" + point.color(),
        "cx",
        LineChart.point(place[0]),
        "cy",
        LineChart.point(place[1]),
        "r",
        LineChart.point(RADIUS));
    html.element(
        "text",
        Integer.toString(point.number()),
        "class",
        "number",
        "x",
        LineChart.point(place[0]),
        "y",
        LineChart.point(place[1] + 3.5),
        "text-anchor",
        "middle");
    html.close();
  }

  /** The nearest place right of {@code x}, or left of it at the edge, where no other point is. */
  private static double free(double x, double y, List<double[]> places) {
    double aside = x > LineChart.WIDTH * 0.8 ? -2 * RADIUS : 2 * RADIUS;
    double at = x;
    while (covered(at, y, places)) {
      at += aside;
    }
    return at;
  }

  private static boolean covered(double x, double y, List<double[]> places) {
    return places.stream().anyMatch(p -> Math.hypot(p[0] - x, p[1] - y) < 2 * RADIUS - 0.5);
  }
}
