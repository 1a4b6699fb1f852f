package org.maskedkd.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What this process writes to standard error while it logs in a format; until closed. */
final class StandardError implements AutoCloseable {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final PrintStream before = System.err;
  private final ByteArrayOutputStream seen = new ByteArrayOutputStream();

  StandardError(String process, LogFormat format) {
    System.setErr(new PrintStream(seen, /* autoFlush= */ true, StandardCharsets.UTF_8));
    Logging.configure(process, "info", format);
  }

  List<String> lines() {
    return seen.toString(StandardCharsets.UTF_8).lines().toList();
  }

  /** Every line must be one object. */
  List<JsonNode> events() {
    return lines().stream().map(StandardError::json).toList();
  }

  static JsonNode json(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new AssertionError("no JSON: " + line, e);
    }
  }

  @Override
  public void close() {
    System.setErr(before);
    Logging.configure("", "info", LogFormat.TEXT);
  }
}
