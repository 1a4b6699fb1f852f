package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.List;

/**
 * How a batch is cut: into {@code count} nearly equal parts, or, when {@code sizes} is not empty,
 * into just these. In YAML a number or a list.
 */
public record MicroBatches(int count, List<Integer> sizes) {

  public MicroBatches {
    sizes = List.copyOf(sizes);
  }

  /** As many nearly equal micro-batches. */
  public static MicroBatches uniform(int count) {
    return new MicroBatches(count, List.of());
  }

  /** Micro-batches of these sizes, in this order. */
  public static MicroBatches of(List<Integer> sizes) {
    return new MicroBatches(sizes.size(), sizes);
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static MicroBatches parse(JsonNode value) {
    if (value.isInt()) {
      return uniform(value.intValue());
    }
    List<Integer> sizes = new ArrayList<>();
    if (value.isArray() && !value.isEmpty()) {
      value.forEach(size -> sizes.add(size.isInt() ? size.intValue() : -1));
    }
    if (sizes.isEmpty() || sizes.contains(-1)) {
      throw new IllegalArgumentException(
          "expected a number of micro-batches or a list of their sizes, found " + value);
    }
    return of(sizes);
  }

  @JsonValue
  JsonNode toJson() {
    if (sizes.isEmpty()) {
      return IntNode.valueOf(count);
    }
    var list = JsonNodeFactory.instance.arrayNode();
    sizes.forEach(list::add);
    return list;
  }
}
