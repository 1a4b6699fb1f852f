package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Images with the patches that a teacher would see of them (Fig. 4, 5 and 7 of the paper): a row
 * for each image, a column for each line of {@code masks.jsonl}. The images are embedded once; what
 * is masked is greyed out on top.
 */
final class MaskTable {
  private static final int MOST_COLUMNS = 6;

  /** A line of a file that holds no such grid would make a page that no browser shows. */
  private static final int LARGEST_GRID = 4096;

  /**
   * A column.
   *
   * @param line of {@code masks.jsonl}
   */
  record Column(String title, JsonNode line) {}

  private final byte[] images;
  private final List<Column> columns;

  /**
   * @param images {@code masks.png} of the run or runs that the columns are of
   */
  MaskTable(byte[] images, List<Column> columns) {
    this.images = images;
    this.columns = columns.stream().filter(column -> sound(column.line())).toList();
  }

  /**
   * The columns of a run: the first record, the last, and some between.
   *
   * @return null when the run has no masks that can be drawn
   */
  static @Nullable MaskTable of(RunFiles run) {
    List<JsonNode> masks = run.masks();
    if (run.maskImages() == null || masks.isEmpty()) {
      return null;
    }
    int count = Math.min(MOST_COLUMNS, masks.size());
    List<Column> columns = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      JsonNode line =
          masks.get(
              count == 1 ? 0 : (int) Math.round((double) i * (masks.size() - 1) / (count - 1)));
      columns.add(new Column(title(line), line));
    }
    return new MaskTable(run.maskImages(), columns);
  }

  /** When it was recorded. */
  static String title(JsonNode line) {
    return line.path("epoch").isNumber()
        ? "after epoch " + (line.path("epoch").asInt() + 1)
        : "before training";
  }

  private static boolean sound(JsonNode line) {
    int rows = line.path("rows").asInt();
    int width = line.path("columns").asInt();
    return rows > 0
        && width > 0
        && (long) rows * width <= LARGEST_GRID
        && line.path("kept").isArray()
        && !line.path("kept").isEmpty();
  }

  private static int images(JsonNode line) {
    return line.path("kept").size();
  }

  /** Draws it; a sentence instead when there is nothing that can be drawn. */
  void draw(Html html) {
    if (columns.isEmpty()) {
      html.element("p", "The recorded masks cannot be read.", "class", "none");
      return;
    }
    JsonNode first = columns.get(0).line();
    int count = images(first);
    sheet(html, count);
    html.open("div", "class", "scroll").open("table", "class", "masks").open("thead").open("tr");
    html.element("th", "image");
    columns.forEach(column -> html.element("th", column.title()));
    html.close().close().open("tbody");
    for (int image = 0; image < count; image++) {
      html.open("tr").open("td");
      cell(html, image, first, null);
      html.close();
      for (Column column : columns) {
        html.open("td");
        if (images(column.line()) == count) {
          cell(html, image, column.line(), column.title());
        }
        html.close();
      }
      html.close();
    }
    html.close().close().close();
  }

  /** The picture of all images, each as wide and high as 1; used by every cell. */
  private void sheet(Html html, int count) {
    html.open("svg", "width", "0", "height", "0", "class", "sheet", "aria-hidden", "true");
    html.open("defs");
    html.empty(
        "image",
        "id",
        id(),
        "width",
        Integer.toString(count),
        "height",
        "1",
        "preserveAspectRatio",
        "none",
        "href",
        "data:image/png;base64," + Base64.getEncoder().encodeToString(images));
    html.close().close();
  }

  private String id() {
    return "images-" + Integer.toHexString(Arrays.hashCode(images));
  }

  private void cell(Html html, int image, JsonNode line, @Nullable String when) {
    int rows = line.path("rows").asInt();
    int width = line.path("columns").asInt();
    html.open(
        "svg",
        "viewBox",
        "0 0 " + width + " " + rows,
        "role",
        "img",
        "aria-label",
        "image " + (image + 1) + (when == null ? "" : ", kept " + when));
    html.empty(
        "use",
        "href",
        "#" + id(),
        "transform",
        "scale(%d %d) translate(%d 0)".formatted(width, rows, -image));
    if (when != null) {
      html.empty("path", "class", "off", "d", masked(line.path("kept").path(image), rows, width));
    }
    html.close();
  }

  /** The patches that are not kept, neighbours of a row as one rectangle. */
  private static String masked(JsonNode kept, int rows, int width) {
    BitSet seen = new BitSet(rows * width);
    for (JsonNode patch : kept) {
      int id = patch.asInt(-1);
      if (id >= 0 && id < rows * width) {
        seen.set(id);
      }
    }
    StringBuilder path = new StringBuilder();
    for (int y = 0; y < rows; y++) {
      int x = seen.nextClearBit(y * width) - y * width;
      while (x < width) {
        int end = seen.nextSetBit(y * width + x);
        int length = (end < 0 ? width : Math.min(width, end - y * width)) - x;
        path.append("M%d %dh%dv1h-%dz".formatted(x, y, length, length));
        x = seen.nextClearBit(y * width + x + length) - y * width;
      }
    }
    return path.toString();
  }
}
