package org.maskedkd.student;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * What a checkpoint says of itself: {@code checkpoint.json}, and beside it the manifest's own
 * checksum in the form that {@code sha256sum -c} reads.
 *
 * @param best whether it holds the best evaluated weights of the run so far
 * @param coordinatorState the coordinator's JSON, given back when the run goes on
 * @param numerics facts about how the student computes
 * @param provenance where the weights come from, see {@link RunProvenance}
 * @param files what each file must be, by name
 */
public record CheckpointManifest(
    long step,
    boolean best,
    String coordinatorState,
    Map<String, String> numerics,
    Map<String, String> provenance,
    Map<String, Part> files) {

  /** The file that makes a folder a checkpoint. */
  public static final String FILE = "checkpoint.json";

  /** The one that is written. */
  static final int FORMAT = 2;

  /** The first one, which has neither sizes nor a seal and knows nothing of the best. */
  private static final int OLDEST_FORMAT = 1;

  private static final String SEAL = FILE + ".sha256";
  private static final long UNKNOWN = -1;
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * A file as it was written.
   *
   * @param bytes its length; -1 where the format did not say
   * @param sha256 of its content, in hexadecimal
   */
  public record Part(long bytes, String sha256) {}

  /** The same facts of these files. */
  CheckpointManifest of(Map<String, Part> parts) {
    return new CheckpointManifest(
        step, best, coordinatorState, numerics, provenance, new TreeMap<>(parts));
  }

  /**
   * Writes manifest and seal and syncs both.
   *
   * @return the bytes written
   */
  long write(Path directory) throws IOException {
    ObjectNode root =
        JSON.createObjectNode()
            .put("format", FORMAT)
            .put("step", step)
            .put("best", best)
            .put("coordinatorState", coordinatorState);
    root.set("numerics", JSON.valueToTree(new TreeMap<>(numerics)));
    root.set("provenance", JSON.valueToTree(new TreeMap<>(provenance)));
    root.set("files", JSON.valueToTree(files));
    Path manifest = directory.resolve(FILE);
    Files.writeString(
        manifest, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
    Path seal = directory.resolve(SEAL);
    Files.writeString(seal, SafeFiles.sha256(manifest) + "  " + FILE + "\n");
    SafeFiles.sync(manifest);
    SafeFiles.sync(seal);
    return Files.size(manifest) + Files.size(seal);
  }

  /**
   * Reads the manifest of a checkpoint, of this format or an earlier one.
   *
   * @throws IOException if it is missing or damaged
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} if a later release wrote it
   */
  static CheckpointManifest read(Path directory) throws IOException {
    Path file = directory.resolve(FILE);
    Path seal = directory.resolve(SEAL);
    if (!Files.isRegularFile(file)) {
      throw new IOException("it has no " + FILE);
    }
    byte[] text = Files.readAllBytes(file);
    boolean sealed = Files.exists(seal);
    if (sealed) {
      String expected = Files.readString(seal).split("\\s", 2)[0];
      String found = SafeFiles.sha256(text);
      if (!found.equals(expected)) {
        throw new IOException(
            "%s has SHA-256 %s, but %s says %s".formatted(FILE, found, SEAL, expected));
      }
    }
    JsonNode root;
    try {
      root = JSON.readTree(new String(text, StandardCharsets.UTF_8));
    } catch (JsonProcessingException e) {
      throw new IOException(FILE + " cannot be read: " + e.getOriginalMessage(), e);
    }
    int format = root.path("format").asInt();
    if (format > FORMAT) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "checkpoint %s has format %d, but this release reads the formats %d to %d: go on with the release that wrote it%s"
              .formatted(
                  directory,
                  format,
                  OLDEST_FORMAT,
                  FORMAT,
                  root.at("/provenance/program").isTextual()
                      ? ", " + root.at("/provenance/program").asText()
                      : ""));
    }
    if (format < OLDEST_FORMAT) {
      throw new IOException(FILE + " names no format");
    }
    if (format > OLDEST_FORMAT && !sealed) {
      throw new IOException("it lacks " + SEAL);
    }
    return new CheckpointManifest(
        number(root, "step"),
        root.path("best").asBoolean(),
        required(root, "coordinatorState").asText(),
        texts(required(root, "numerics")),
        texts(required(root, "provenance")),
        parts(required(root, "files")));
  }

  /**
   * Compares the files with what the manifest says of them.
   *
   * @throws IOException naming the first that differs, with what was expected and found
   */
  void verify(Path directory) throws IOException {
    for (Map.Entry<String, Part> entry : files.entrySet()) {
      String name = entry.getKey();
      Part expected = entry.getValue();
      Path part = directory.resolve(name).normalize();
      if (!part.startsWith(directory.normalize()) || !Files.isRegularFile(part)) {
        throw new IOException("it lacks " + name);
      }
      long bytes = Files.size(part);
      if (expected.bytes() != UNKNOWN && bytes != expected.bytes()) {
        throw new IOException(
            "%s has %d bytes, the manifest says %d".formatted(name, bytes, expected.bytes()));
      }
      String found = SafeFiles.sha256(part);
      if (!found.equals(expected.sha256())) {
        throw new IOException(
            "%s has SHA-256 %s, the manifest says %s".formatted(name, found, expected.sha256()));
      }
    }
  }

  private static JsonNode required(JsonNode root, String key) throws IOException {
    JsonNode value = root.get(key);
    if (value == null || value.isNull()) {
      throw new IOException("%s lacks %s".formatted(FILE, key));
    }
    return value;
  }

  private static long number(JsonNode root, String key) throws IOException {
    JsonNode value = required(root, key);
    if (!value.canConvertToLong()) {
      throw new IOException("%s in %s is %s, expected a number".formatted(key, FILE, value));
    }
    return value.asLong();
  }

  private static Map<String, String> texts(JsonNode object) {
    Map<String, String> texts = new TreeMap<>();
    object.properties().forEach(entry -> texts.put(entry.getKey(), entry.getValue().asText()));
    return texts;
  }

  private static Map<String, Part> parts(JsonNode object) {
    Map<String, Part> parts = new TreeMap<>();
    object
        .properties()
        .forEach(
            entry -> {
              JsonNode value = entry.getValue();
              parts.put(
                  entry.getKey(),
                  value.isTextual()
                      ? new Part(UNKNOWN, value.asText())
                      : new Part(
                          value.path("bytes").asLong(UNKNOWN), value.path("sha256").asText()));
            });
    return parts;
  }
}
