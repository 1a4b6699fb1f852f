package org.maskedkd.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** What the label members of a shard say. */
final class ShardLabels {
  private static final JsonFactory JSON = new JsonFactory();
  private static final String FIELD = "label";

  private ShardLabels() {}

  /** Decimal digits, with white space around them. */
  static int number(String where, byte[] content) {
    String text = new String(content, StandardCharsets.US_ASCII).strip();
    if (!text.matches("\\d{1,9}")) {
      throw refused(where, "'" + text.replaceAll("[^ -~]", "?") + "'");
    }
    return checked(where, Integer.parseInt(text));
  }

  /** The field {@code label} of an object. */
  static int json(String where, byte[] content) {
    try (JsonParser parser = JSON.createParser(content)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw refused(where, "no JSON object");
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        boolean label = parser.currentName().equals(FIELD);
        JsonToken value = parser.nextToken();
        if (label && value == JsonToken.VALUE_NUMBER_INT) {
          return checked(where, parser.getIntValue());
        }
        if (label) {
          throw refused(where, "a label that is no whole number");
        }
        parser.skipChildren();
      }
      throw refused(where, "no label");
    } catch (IOException e) {
      throw new DataException(
          "%s is no JSON object with a label (%s)".formatted(where, e.getMessage()), e);
    }
  }

  private static int checked(String where, int label) {
    if (label < 0 || label >= ShardReader.MOST_CLASSES) {
      throw refused(where, String.valueOf(label));
    }
    return label;
  }

  private static DataException refused(String where, String found) {
    return new DataException(
        "%s holds %s; expected the number of a class, 0 to %d"
            .formatted(where, found, ShardReader.MOST_CLASSES - 1));
  }
}
