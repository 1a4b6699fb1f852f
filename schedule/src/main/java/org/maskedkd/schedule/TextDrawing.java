package org.maskedkd.schedule;

import java.util.Arrays;

/**
 * A step as lines of characters, one for each device, time from left to right: {@code
 * F0F1F2F3......B0--B1--}. A dot is idle time. What is shorter than a column is shown where there
 * is room and left out otherwise.
 */
public final class TextDrawing {

  private static final char IDLE = '.';

  private TextDrawing() {}

  /** The step over {@code columns}. */
  public static String draw(StepPicture picture, int columns) {
    return draw(picture, columns, picture.duration());
  }

  /**
   * The step on a scale that it shares with others.
   *
   * @param duration the time that {@code columns} stand for; at least that of the step
   * @return a line for each device, each ended by a newline
   */
  public static String draw(StepPicture picture, int columns, double duration) {
    StringBuilder text = new StringBuilder();
    int names = picture.device(picture.teachers()).length();
    for (int device = 0; device <= picture.teachers(); device++) {
      String name = picture.device(device);
      text.append(name)
          .append(" ".repeat(Math.max(names, picture.device(0).length()) + 2 - name.length()))
          .append(row(picture, device, columns / duration))
          .append('\n');
    }
    return text.toString();
  }

  private static String row(StepPicture picture, int device, double columnsPerTime) {
    char[] row = new char[column(picture.duration() * columnsPerTime)];
    Arrays.fill(row, IDLE);
    for (Span span : picture.spans()) {
      if (span.device() == device && span.duration() > 0) {
        int from = column((span.start() - picture.start()) * columnsPerTime);
        int to = column((span.end() - picture.start()) * columnsPerTime);
        put(row, Math.max(0, from), Math.min(row.length, to), StepPicture.label(span));
      }
    }
    return new String(row);
  }

  private static int column(double at) {
    return (int) Math.round(at);
  }

  private static void put(char[] row, int from, int to, String label) {
    if (to <= from) {
      int at = Math.min(from, row.length - 1);
      if (at >= 0 && row[at] == IDLE) {
        row[at] = label.charAt(0);
      }
      return;
    }
    String shown = label.length() <= to - from ? label : label.substring(0, 1);
    for (int i = from; i < to; i++) {
      row[i] = i - from < shown.length() ? shown.charAt(i - from) : '-';
    }
  }
}
