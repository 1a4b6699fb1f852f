package org.maskedkd.runtime;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.WireFormat;
import java.io.IOException;

/**
 * Counts a message's fields before it is parsed. An empty message inside another takes two bytes on
 * the wire and thirty times as much in memory, so the size alone bounds nothing.
 */
final class WireCount {
  /** A plan of 16,384 micro-batches has 65,536 actions with two fields each. */
  static final int MOST_FIELDS = 300_000;

  private static final int DEEPEST = 16;

  private int fields;

  private WireCount() {}

  /**
   * @throws IllegalArgumentException if there are more than {@link #MOST_FIELDS}
   * @throws IOException if the bytes are no protocol buffer
   */
  static void check(byte[] bytes, Descriptor type) throws IOException {
    new WireCount().walk(CodedInputStream.newInstance(bytes), type, 0);
  }

  private void walk(CodedInputStream input, Descriptor type, int depth) throws IOException {
    if (depth > DEEPEST) {
      throw new IllegalArgumentException(
          "a message of more than " + DEEPEST + " levels is not accepted");
    }
    for (int tag = input.readTag(); tag != 0; tag = input.readTag()) {
      fields++;
      if (fields > MOST_FIELDS) {
        throw new IllegalArgumentException(
            "a message of more than " + MOST_FIELDS + " fields is not accepted");
      }
      FieldDescriptor field = type.findFieldByNumber(WireFormat.getTagFieldNumber(tag));
      switch (WireFormat.getTagWireType(tag)) {
        case WireFormat.WIRETYPE_LENGTH_DELIMITED -> {
          if (field != null && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
            int outer = input.pushLimit(input.readRawVarint32());
            walk(input, field.getMessageType(), depth + 1);
            input.popLimit(outer);
          } else {
            input.skipField(tag);
          }
        }
        case WireFormat.WIRETYPE_START_GROUP, WireFormat.WIRETYPE_END_GROUP ->
            throw new IllegalArgumentException(
                type.getName() + " has a group, of which this protocol has none");
        default -> input.skipField(tag);
      }
    }
  }
}
