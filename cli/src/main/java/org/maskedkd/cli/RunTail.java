package org.maskedkd.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The end of a run's files while it is being written. */
final class RunTail {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int TAIL_BYTES = 1 << 14;
  private static final RunTail NONE = new RunTail(0, 0);

  private final long step;
  private final int attempt;

  private RunTail(long step, int attempt) {
    this.step = step;
    this.attempt = attempt;
  }

  /** Of the newest step that was committed. */
  static RunTail committed(Path run) throws IOException {
    return of(run.resolve("metrics.jsonl"));
  }

  /** Of the newest step that was planned. */
  static RunTail planned(Path run) throws IOException {
    return of(run.resolve("plans.jsonl"));
  }

  /** Its number; 0 for none. */
  long step() {
    return step;
  }

  /** The start of the run that it belongs to; 0 for none. */
  int attempt() {
    return attempt;
  }

  private static RunTail of(Path file) throws IOException {
    String text;
    try (SeekableByteChannel channel = Files.newByteChannel(file)) {
      long size = channel.size();
      channel.position(Math.max(0, size - TAIL_BYTES));
      ByteBuffer bytes = ByteBuffer.allocate(TAIL_BYTES);
      while (bytes.hasRemaining() && channel.read(bytes) >= 0) {}
      text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
    } catch (NoSuchFileException notYet) {
      return NONE;
    }
    // What stands behind the last line break is still being written.
    int end = text.lastIndexOf('\n');
    int begin = end <= 0 ? 0 : text.lastIndexOf('\n', end - 1) + 1;
    JsonNode line = end < 0 ? null : parse(text.substring(begin, end));
    return line == null
        ? NONE
        : new RunTail(line.path("step").asLong(), line.path("attempt").asInt());
  }

  private static @Nullable JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      // Half a line that a killed process left; the next start cuts it off.
      return null;
    }
  }
}
