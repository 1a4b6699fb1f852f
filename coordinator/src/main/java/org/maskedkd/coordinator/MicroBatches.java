package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;

/**
 * How a batch is cut: into {@code count} nearly equal parts, or, when {@code sizes} is not empty,
 * into just these, or, when {@code isAuto}, as measurements on the running stages say. In YAML a
 * number, a list or {@code auto}.
 */
public record MicroBatches(boolean isAuto, int count, List<Integer> sizes) {

  private static final String AUTO = "auto";

  public MicroBatches {
    sizes = List.copyOf(sizes);
  }

  /** As measurements on the running stages say. */
  public static MicroBatches auto() {
    return new MicroBatches(true, 0, List.of());
  }

  /** As many nearly equal micro-batches. */
  public static MicroBatches uniform(int count) {
    return new MicroBatches(false, count, List.of());
  }

  /** Micro-batches of these sizes, in this order. */
  public static MicroBatches of(List<Integer> sizes) {
    return new MicroBatches(false, sizes.size(), sizes);
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static MicroBatches parse(JsonNode value) {
    if (value.isInt()) {
      return uniform(value.intValue());
    }
    if (value.isTextual() && value.asText().equals(AUTO)) {
      return auto();
    }
    List<Integer> sizes = new ArrayList<>();
    if (value.isArray() && !value.isEmpty()) {
      value.forEach(size -> sizes.add(size.isInt() ? size.intValue() : -1));
    }
    if (sizes.isEmpty() || sizes.contains(-1)) {
      throw new IllegalArgumentException(
          "expected a number of micro-batches, a list of their sizes or auto, found " + value);
    }
    return of(sizes);
  }

  @JsonValue
  JsonNode toJson() {
    if (isAuto) {
      return TextNode.valueOf(AUTO);
    }
    if (sizes.isEmpty()) {
      return IntNode.valueOf(count);
    }
    var list = JsonNodeFactory.instance.arrayNode();
    sizes.forEach(list::add);
    return list;
  }
}
