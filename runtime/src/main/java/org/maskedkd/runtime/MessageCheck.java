package org.maskedkd.runtime;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Map;

/**
 * What holds for every message of this protocol: numbers are finite, counts are not negative, enums
 * are known, texts are short and printable. Which values make sense together the stages check.
 */
public final class MessageCheck {
  /** Long enough for a path of any file system. */
  private static final int LONGEST_TEXT = 4096;

  private static final int LONGEST_STATE = 1 << 20;

  /** A coordinator's JSON object, which stages only keep. */
  private static final String STATE = "coordinator_state";

  private MessageCheck() {}

  /**
   * @throws IllegalArgumentException naming the field, what was expected and what was found
   */
  public static void check(Message message) {
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      FieldDescriptor field = entry.getKey();
      if (field.isRepeated()) {
        for (Object value : (List<?>) entry.getValue()) {
          check(field, value);
        }
      } else {
        check(field, entry.getValue());
      }
    }
  }

  private static void check(FieldDescriptor field, Object value) {
    switch (field.getJavaType()) {
      case MESSAGE -> check((Message) value);
      case DOUBLE -> require(Double.isFinite((Double) value), field, "a finite number", value);
      case FLOAT -> require(Float.isFinite((Float) value), field, "a finite number", value);
      case INT ->
          // Of the kinds of integers, only this one is meant for numbers below 0.
          require(
              (Integer) value >= 0 || field.getType() == FieldDescriptor.Type.SINT32,
              field,
              "at least 0",
              value);
      case STRING -> text(field, (String) value);
      case ENUM ->
          require(
              ((EnumValueDescriptor) value).getIndex() >= 0,
              field,
              "a value that this release knows",
              ((EnumValueDescriptor) value).getNumber());
      // 64-bit numbers are seeds, steps and offsets, whose ranges differ.
      case LONG, BOOLEAN, BYTE_STRING -> {}
    }
  }

  private static void text(FieldDescriptor field, String text) {
    int longest = field.getName().equals(STATE) ? LONGEST_STATE : LONGEST_TEXT;
    if (text.length() > longest) {
      throw new IllegalArgumentException(
          "%s must have at most %d characters, found %d"
              .formatted(field.getFullName(), longest, text.length()));
    }
    if (longest == LONGEST_TEXT && text.chars().anyMatch(c -> c < ' ' || c == 0x7f)) {
      throw new IllegalArgumentException(
          "%s must be one line of printable text, found %s"
              .formatted(field.getFullName(), Quote.of(text)));
    }
  }

  private static void require(boolean holds, FieldDescriptor field, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "%s must be %s, found %s".formatted(field.getFullName(), expected, found));
    }
  }
}
