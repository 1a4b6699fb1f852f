package org.maskedkd.schedule;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Steps as one SVG picture, one below the other on a common time scale: a row for each device, a
 * box for each forward, teacher's forward, backward and update, the number of the micro-batch in
 * it, thin arrows from a forward over its teacher's forward to its backward, and below each title
 * how long the step takes and how much of it is lost.
 */
public final class SvgDrawing {

  private static final int WIDTH = 1000;
  private static final int LEFT = 92;
  private static final int RIGHT = 24;
  private static final int TOP = 44;
  private static final int TITLE = 46;
  private static final int ROW = 30;
  private static final int ROW_GAP = 16;
  private static final int PICTURE_GAP = 18;
  private static final int AXIS = 40;

  /** Least width of a box for its letter and number, and for its number alone. */
  private static final int ROOM_FOR_LABEL = 22;

  private static final int ROOM_FOR_NUMBER = 13;

  private static final Operation[] KINDS = {
    Operation.FORWARD,
    Operation.TEACHER,
    Operation.BACKWARD,
    Operation.OPTIMIZER,
    Operation.LOOK_AHEAD,
    Operation.CHOOSE
  };

  private static final String[] NAMES = {
    "student forward",
    "teacher forward",
    "student backward",
    "update",
    "for the next step",
    "choosing patches"
  };

  /** Of these, the first ones stand in every legend. */
  private static final int USUAL = 4;

  private final StringBuilder svg = new StringBuilder();
  private final double scale;

  private SvgDrawing(double longest) {
    this.scale = (WIDTH - LEFT - RIGHT) / longest;
  }

  /**
   * The document, ready to be written as UTF-8.
   *
   * @param pictures at least one, from top to bottom
   * @param unit what the times are in, written at the axis; may be empty
   * @param arrows whether to draw them
   */
  public static String draw(List<StepPicture> pictures, String unit, boolean arrows) {
    double longest = pictures.stream().mapToDouble(StepPicture::duration).max().orElse(0);
    if (!(longest > 0)) {
      throw new IllegalArgumentException(
          "nothing to draw: found %d steps, the longest of %s".formatted(pictures.size(), longest));
    }
    return new SvgDrawing(longest).document(pictures, unit, arrows, longest);
  }

  private String document(List<StepPicture> pictures, String unit, boolean arrows, double longest) {
    int y = TOP;
    int axis = TOP;
    for (StepPicture picture : pictures) {
      axis += height(picture);
    }
    axis -= PICTURE_GAP - 8;
    int height = axis + AXIS;
    line(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' role='img' font-family='Helvetica, Arial, DejaVu Sans, sans-serif' font-size='12'>",
        WIDTH, height, WIDTH, height);
    line(
        "<style>.F{fill:#8ec1ea}.T{fill:#f4b860}.B{fill:#7cc49a}.U{fill:#a7a3b8}.A{fill:#e3c9e6}.C{fill:#c3dff5}.F,.T,.B,.U,.A,.C{stroke:#fff;stroke-width:1}.n{text-anchor:middle;fill:#1d2433}.a{stroke:#5a6474;stroke-width:0.8;fill:none;opacity:0.55;marker-end:url(#h)}.g{stroke:#d9dde3;stroke-width:1}</style>");
    line(
        "<defs><marker id='h' viewBox='0 0 6 6' refX='5' refY='3' markerWidth='5' markerHeight='5' orient='auto'><path d='M0 0L6 3L0 6z' fill='#5a6474'/></marker></defs>");
    line("<rect width='%d' height='%d' fill='#ffffff'/>", WIDTH, height);
    legend(pictures);
    grid(axis, unit, longest);
    for (StepPicture picture : pictures) {
      picture(picture, y, arrows);
      y += height(picture);
    }
    line("</svg>");
    return svg.toString();
  }

  private static int height(StepPicture picture) {
    return TITLE + (picture.teachers() + 1) * (ROW + ROW_GAP) - ROW_GAP + PICTURE_GAP;
  }

  private static boolean looksAhead(StepPicture picture) {
    return has(picture, Operation.LOOK_AHEAD);
  }

  private static boolean has(StepPicture picture, Operation kind) {
    return picture.spans().stream().anyMatch(s -> s.operation() == kind);
  }

  private void legend(List<StepPicture> pictures) {
    double x = LEFT;
    for (int i = 0; i < KINDS.length; i++) {
      Operation kind = KINDS[i];
      if (i >= USUAL && pictures.stream().noneMatch(picture -> has(picture, kind))) {
        continue;
      }
      line("<rect class='%s' x='%.1f' y='14' width='16' height='14' rx='2'/>", kind.letter(), x);
      line("<text x='%.1f' y='25' fill='#1d2433'>%s</text>", x + 21, NAMES[i]);
      x += 40 + 6.4 * NAMES[i].length();
    }
  }

  private void grid(int axis, String unit, double longest) {
    double tick = tick(longest);
    for (int i = 0; i * tick <= longest * (1 + 1e-9); i++) {
      double x = LEFT + i * tick * scale;
      line("<path class='g' d='M%.1f %dV%d'/>", x, TOP, axis);
      line(
          "<text x='%.1f' y='%d' text-anchor='middle' fill='#5a6474'>%s</text>",
          x, axis + 16, number(i * tick));
    }
    String name = unit.isEmpty() ? "time" : "time in " + unit;
    line(
        "<text x='%d' y='%d' text-anchor='end' fill='#5a6474'>%s</text>",
        WIDTH - RIGHT, axis + 32, escaped(name));
  }

  /** 1, 2 or 5 times a power of ten, such that there are at most ten. */
  private static double tick(double longest) {
    double power = Math.pow(10, Math.floor(Math.log10(longest)) - 1);
    for (int factor : new int[] {1, 2, 5, 10, 20, 50}) {
      if (longest / (power * factor) <= 10) {
        return power * factor;
      }
    }
    return power * 100;
  }

  private void picture(StepPicture picture, int top, boolean arrows) {
    Utilization utilization = picture.utilization();
    line(
        "<text x='%d' y='%d' font-size='14' font-weight='bold' fill='#1d2433'>%s</text>",
        LEFT, top + 16, escaped(picture.title()));
    line(
        "<text x='%d' y='%d' fill='#5a6474'>step %.4g · bubble %.1f %% · imbalance %.1f %%</text>",
        LEFT,
        top + 33,
        picture.duration(),
        100 * utilization.bubble(),
        100 * utilization.imbalance());
    int first = top + TITLE;
    for (int device = 0; device <= picture.teachers(); device++) {
      int y = y(first, device);
      line(
          "<text x='%d' y='%.1f' text-anchor='end' fill='#1d2433'>%s</text>",
          LEFT - 8, y + ROW / 2.0 + 4, picture.device(device));
      line(
          "<rect x='%d' y='%d' width='%.1f' height='%d' fill='#eceff3'/>",
          LEFT, y, picture.duration() * scale, ROW);
    }
    if (arrows) {
      arrows(picture, first);
    }
    picture.spans().stream()
        .filter(span -> span.duration() > 0)
        .forEach(span -> box(picture, span, first));
  }

  private static int y(int first, int device) {
    return first + device * (ROW + ROW_GAP);
  }

  private double x(StepPicture picture, double time) {
    return LEFT + (time - picture.start()) * scale;
  }

  private void box(StepPicture picture, Span span, int first) {
    double x = x(picture, span.start());
    double width = span.duration() * scale;
    int y = y(first, span.device());
    line(
        "<rect class='%s' x='%.2f' y='%d' width='%.2f' height='%d' rx='%s'><title>%s: %s to %s</title></rect>",
        span.operation().letter(),
        x,
        y,
        width,
        ROW,
        width > 6 ? "3" : "0",
        StepPicture.label(span),
        number(span.start() - picture.start()),
        number(span.end() - picture.start()));
    String label = StepPicture.label(span);
    int digits = label.length() - 1;
    if (width < ROOM_FOR_NUMBER + 7.0 * Math.max(0, digits - 1)) {
      return;
    }
    boolean whole = width >= ROOM_FOR_LABEL + 7.0 * Math.max(0, digits - 1);
    line(
        "<text class='n' x='%.2f' y='%.1f'>%s</text>",
        x + width / 2, y + ROW / 2.0 + 4, whole || digits == 0 ? label : label.substring(1));
  }

  /**
   * From the end of a forward to its teacher's begin, unless the teachers got the patches before,
   * and from there to its backward; likewise from a look ahead.
   */
  private void arrows(StepPicture picture, int first) {
    boolean stale = looksAhead(picture);
    boolean offered = false;
    List<Span[]> pairs = new ArrayList<>();
    for (Span teacher : picture.spans()) {
      for (Span student : picture.spans()) {
        if (teacher.device() == Span.STUDENT
            || student.device() != Span.STUDENT
            || !student.operation().hasIndex()
            || student.operation() == Operation.CHOOSE
            || student.index() != teacher.index()
            || (teacher.operation() == Operation.LOOK_AHEAD)
                != (student.operation() == Operation.LOOK_AHEAD)) {
          continue;
        }
        boolean handsOver = student.operation() != Operation.BACKWARD;
        boolean before = handsOver && teacher.start() < (student.start() + student.end()) / 2;
        if (!before || !stale) {
          offered |= before;
          pairs.add(handsOver ? new Span[] {student, teacher} : new Span[] {teacher, student});
        }
      }
    }
    for (Span[] pair : pairs) {
      if (!offered || pair[0].device() != Span.STUDENT) {
        arrow(picture, first, pair[0], pair[1]);
      }
    }
  }

  private void arrow(StepPicture picture, int first, Span from, Span to) {
    boolean down = from.device() < to.device();
    int fromY = y(first, from.device()) + (down ? ROW : 0);
    int toY = y(first, to.device()) + (down ? 0 : ROW);
    line(
        "<path class='a' d='M%.1f %dL%.1f %d'/>",
        x(picture, from.end()), fromY, x(picture, to.start()), toY);
  }

  private static String number(double value) {
    String text = String.format(Locale.ROOT, "%.3f", value);
    return text.replaceAll("0+$", "").replaceAll("\\.$", "");
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private void line(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
