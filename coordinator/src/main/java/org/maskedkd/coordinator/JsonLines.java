package org.maskedkd.coordinator;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/** A file with a JSON object on each line, appended to and cut back. Not thread-safe. */
final class JsonLines implements AutoCloseable {

  static final ObjectMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .defaultPropertyInclusion(
              JsonInclude.Value.construct(
                  JsonInclude.Include.NON_NULL, JsonInclude.Include.USE_DEFAULTS))
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private final Path path;
  private final FileChannel channel;

  private JsonLines(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  static JsonLines append(Path path) {
    try {
      return new JsonLines(
          path, FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
    } catch (IOException e) {
      throw cannotWrite(path, e);
    }
  }

  /**
   * Appends a line.
   *
   * @param sync whether it must be on the disk when this returns
   * @throws RunException with {@link ExitCode#CANNOT_WRITE}
   */
  void add(Object value, boolean sync) {
    try {
      ByteBuffer line =
          ByteBuffer.wrap((JSON.writeValueAsString(value) + "\n").getBytes(StandardCharsets.UTF_8));
      while (line.hasRemaining()) {
        channel.write(line);
      }
      if (sync) {
        channel.force(/* metaData= */ false);
      }
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a line that cannot be written as JSON: " + value, e);
    } catch (IOException e) {
      throw cannotWrite(path, e);
    }
  }

  /** Returns once everything that was added is on the disk. */
  void sync() {
    try {
      channel.force(/* metaData= */ false);
    } catch (IOException e) {
      throw cannotWrite(path, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw cannotWrite(path, e);
    }
  }

  /**
   * The file's sound lines; none when it does not exist. Reading ends at the first damaged line,
   * which is half of the last one when a process died while writing.
   */
  static List<JsonNode> read(Path path) {
    List<JsonNode> lines = new ArrayList<>();
    if (!Files.isRegularFile(path)) {
      return lines;
    }
    try (BufferedReader reader = Files.newBufferedReader(path)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        JsonNode value = parse(line);
        if (value == null || !value.isObject()) {
          break;
        }
        lines.add(value);
      }
    } catch (IOException e) {
      throw new RunException(ExitCode.BAD_DATA, "cannot read " + path + ": " + reason(e), e);
    }
    return lines;
  }

  private static @org.jspecify.annotations.Nullable JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      return null;
    }
  }

  /** Rewrites the file with only its sound lines that {@code kept} accepts, and returns those. */
  static List<JsonNode> cutBack(Path path, Predicate<JsonNode> kept) {
    List<JsonNode> lines = read(path).stream().filter(kept).toList();
    if (!Files.isRegularFile(path)) {
      return lines;
    }
    StringBuilder text = new StringBuilder();
    lines.forEach(line -> text.append(line).append('\n'));
    replace(path, text.toString());
    return lines;
  }

  /**
   * Writes a file aside, syncs it and puts it in place, so that it is either the old or the new
   * one.
   */
  static void replace(Path path, String text) {
    replace(path, text.getBytes(StandardCharsets.UTF_8));
  }

  /** The same of a file that is no text. */
  static void replace(Path path, byte[] content) {
    Path aside = path.resolveSibling(path.getFileName() + ".new");
    try {
      try (FileChannel out =
          FileChannel.open(
              aside,
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        ByteBuffer bytes = ByteBuffer.wrap(content);
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
        out.force(/* metaData= */ true);
      }
      Files.move(aside, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      // The rename itself is durable only once the directory is.
      Path directory = Objects.requireNonNull(path.toAbsolutePath().getParent());
      try (FileChannel parent = FileChannel.open(directory, StandardOpenOption.READ)) {
        parent.force(/* metaData= */ true);
      }
    } catch (IOException e) {
      throw cannotWrite(path, e);
    }
  }

  static RunException cannotWrite(Path path, IOException e) {
    return new RunException(
        ExitCode.CANNOT_WRITE,
        "cannot write "
            + path
            + ": "
            + reason(e)
            + "; see that the disk has room and the directory may be written",
        e);
  }

  private static String reason(IOException e) {
    return e.getMessage() == null
        ? e.toString()
        : e.getClass().getSimpleName() + " " + e.getMessage();
  }
}
