package org.maskedkd.runtime;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;

/**
 * Log events as JSON objects, one a line. Logback's own encoder has other names and no place for
 * the run. Events are written on the thread that logs them, whose {@link LogContext} is theirs.
 */
final class JsonEvents extends EncoderBase<ILoggingEvent> {
  private static final JsonFactory JSON = new JsonFactory();
  private static final DateTimeFormatter TIME =
      new DateTimeFormatterBuilder().appendInstant(3).toFormatter();
  private static final byte[] NOTHING = {};

  private final String process;

  /**
   * @param process such as {@code student}
   */
  JsonEvents(String process) {
    this.process = process;
  }

  @Override
  public byte[] headerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] footerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    StringWriter line = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(line)) {
      json.writeStartObject();
      for (Map.Entry<String, @Nullable Object> field : fields(event).entrySet()) {
        json.writeFieldName(field.getKey());
        write(json, field.getValue());
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("a string cannot be written to", e);
    }
    line.write('\n');
    // Half of a surrogate pair, which no UTF-8 has, becomes a question mark.
    return line.toString().getBytes(StandardCharsets.UTF_8);
  }

  private Map<String, @Nullable Object> fields(ILoggingEvent event) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    LogContext.Place place = LogContext.current();
    fields.put("time", TIME.format(event.getInstant()));
    fields.put("level", event.getLevel().levelStr);
    fields.put("process", process);
    if (place.run() != null) {
      fields.put("run", place.run());
    }
    if (place.step() != null) {
      fields.put("step", place.step());
    }
    fields.put("thread", event.getThreadName());
    fields.put("logger", event.getLoggerName());
    fields.put("message", event.getFormattedMessage());
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        fields.put(pair.key, pair.value);
      }
    }
    IThrowableProxy thrown = event.getThrowableProxy();
    if (thrown != null) {
      Map<String, @Nullable Object> error = new LinkedHashMap<>();
      error.put("class", thrown.getClassName());
      error.put("message", thrown.getMessage());
      error.put("stack", ThrowableProxyUtil.asString(thrown));
      fields.put("error", error);
    }
    return fields;
  }

  private static void write(JsonGenerator json, @Nullable Object value) throws IOException {
    if (value instanceof Map<?, ?> fields) {
      json.writeStartObject();
      for (Map.Entry<?, ?> field : fields.entrySet()) {
        json.writeFieldName(String.valueOf(field.getKey()));
        write(json, field.getValue());
      }
      json.writeEndObject();
    } else if (value == null || value instanceof Number || value instanceof Boolean) {
      json.writePOJO(value);
    } else {
      json.writeString(value.toString());
    }
  }
}
