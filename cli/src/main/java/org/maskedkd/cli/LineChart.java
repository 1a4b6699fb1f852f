package org.maskedkd.cli;

import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;

/**
 * Curves over one axis as a figure: the title above, an SVG that takes the width that there is, the
 * legend below. Colours are classes {@code s0}, {@code s1}... of the page's style sheet.
 */
final class LineChart {
  static final int WIDTH = 520;
  static final int HEIGHT = 300;
  static final int LEFT = 64;
  static final int RIGHT = 14;
  static final int TOP = 12;
  static final int BOTTOM = 50;

  private static final int X_TICKS = 6;
  private static final int Y_TICKS = 6;

  private final String title;
  private final String xName;
  private final String yName;
  private final boolean fromZero;

  /**
   * @param xName with its unit
   * @param fromZero whether the vertical axis begins at 0
   */
  LineChart(String title, String xName, String yName, boolean fromZero) {
    this.title = title;
    this.xName = xName;
    this.yName = yName;
    this.fromZero = fromZero;
  }

  /**
   * Draws the curves that have points; a sentence instead where none has.
   *
   * @param legend whether to name them below
   */
  void draw(Html html, List<ChartSeries> all, boolean legend) {
    List<ChartSeries> series = all.stream().filter(s -> !s.isEmpty()).toList();
    html.open("figure").element("figcaption", title);
    if (series.isEmpty()) {
      html.element("p", "Nothing of it was recorded.", "class", "none").close();
      return;
    }
    ChartAxis x =
        ChartAxis.whole(
            Math.floor(extreme(series, s -> s.x()[0], false)),
            Math.ceil(extreme(series, s -> s.x()[s.x().length - 1], true)),
            X_TICKS);
    ChartAxis y =
        ChartAxis.rounded(
            fromZero ? 0 : extreme(series, s -> DoubleStream.of(s.low()).min().orElse(0), false),
            extreme(series, s -> DoubleStream.of(s.high()).max().orElse(0), true),
            Y_TICKS);
    svg(html, x, y);
    for (ChartSeries each : series) {
      curve(html, each, x, y);
    }
    html.close();
    if (legend) {
      legend(html, series);
    }
    html.open("p", "class", "hover").close().close();
  }

  private static double extreme(
      List<ChartSeries> series, ToDoubleFunction<ChartSeries> value, boolean greatest) {
    DoubleStream values = series.stream().mapToDouble(value);
    return greatest ? values.max().orElse(0) : values.min().orElse(0);
  }

  private void svg(Html html, ChartAxis x, ChartAxis y) {
    html.open(
        "svg",
        "xmlns",
        "http://www.w3.org/2000/svg",
        "class",
        "chart",
        "viewBox",
        "0 0 " + WIDTH + " " + HEIGHT,
        "role",
        "img",
        "aria-label",
        title + ": " + yName + " over " + xName,
        "data-box",
        "%d %d %d %d".formatted(LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP),
        "data-range",
        "%s %s %s %s".formatted(x.low(), x.high(), y.low(), y.high()));
    axes(html, x, y, xName, yName);
  }

  /** Grid lines, ticks and names. */
  static void axes(Html html, ChartAxis x, ChartAxis y, String xName, String yName) {
    int bottom = HEIGHT - BOTTOM;
    int right = WIDTH - RIGHT;
    for (double tick : y.ticks()) {
      double at = y.place(tick, bottom, TOP);
      html.empty("path", "class", "grid", "d", "M" + LEFT + " " + point(at) + "H" + right);
      label(html, LEFT - 7, at + 5, "end", y.label(tick));
    }
    for (double tick : x.ticks()) {
      double at = x.place(tick, LEFT, right);
      html.empty("path", "class", "tick", "d", "M" + point(at) + " " + bottom + "v5");
      label(html, at, bottom + 20, "middle", x.label(tick));
    }
    html.empty("path", "class", "axis", "d", "M" + LEFT + " " + TOP + "V" + bottom + "H" + right);
    label(html, (LEFT + right) / 2.0, HEIGHT - 8, "middle", xName);
    html.element(
        "text",
        yName,
        "class",
        "name",
        "text-anchor",
        "middle",
        "transform",
        "translate(14 %d) rotate(-90)".formatted((TOP + bottom) / 2));
  }

  private static void label(Html html, double x, double y, String anchor, String text) {
    html.element("text", text, "x", point(x), "y", point(y), "text-anchor", anchor);
  }

  private static void curve(Html html, ChartSeries series, ChartAxis x, ChartAxis y) {
    String color = "s" + series.color();
    int bottom = HEIGHT - BOTTOM;
    if (series.hasBand()) {
      StringBuilder band = new StringBuilder();
      for (int i = 0; i < series.x().length; i++) {
        add(band, x, series.x()[i], y, series.high()[i]);
      }
      for (int i = series.x().length - 1; i >= 0; i--) {
        add(band, x, series.x()[i], y, series.low()[i]);
      }
      html.empty("polygon", "class", "band " + color, "points", band.toString().strip());
    }
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < series.x().length; i++) {
      add(line, x, series.x()[i], y, series.y()[i]);
    }
    html.empty(
        "polyline",
        "class",
        "line " + color,
        "data-name",
        series.name(),
        "points",
        line.toString().strip());
    if (series.marked() || series.x().length == 1) {
      for (int i = 0; i < series.x().length; i++) {
        html.empty(
            "circle",
            "class",
            "mark " + color,
            "cx",
            point(x.place(series.x()[i], LEFT, WIDTH - RIGHT)),
            "cy",
            point(y.place(series.y()[i], bottom, TOP)),
            "r",
            "3.5");
      }
    }
  }

  private static void add(
      StringBuilder points, ChartAxis x, double valueX, ChartAxis y, double valueY) {
    points
        .append(point(x.place(valueX, LEFT, WIDTH - RIGHT)))
        .append(',')
        .append(point(y.place(valueY, HEIGHT - BOTTOM, TOP)))
        .append(' ');
  }

  /** A coordinate, to a tenth of a pixel. */
  static String point(double value) {
    String text = String.format(Locale.ROOT, "%.1f", value);
    return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
  }

  /** The curves' names, each with a piece of its line. */
  static void legend(Html html, List<ChartSeries> series) {
    html.open("ul", "class", "legend");
    for (ChartSeries each : series) {
      html.open("li");
      html.open(
          "svg", "viewBox", "0 0 26 10", "width", "26", "height", "10", "aria-hidden", "true");
      html.empty("path", "class", "line s" + each.color(), "d", "M1 5H25");
      html.close().text(" " + each.name()).close();
    }
    html.close();
  }
}
