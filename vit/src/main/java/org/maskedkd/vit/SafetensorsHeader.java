package org.maskedkd.vit;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a safetensors file says about itself: 8 bytes of length, JSON of that length, then the
 * tensors' bytes without a hole or an overlap.
 *
 * @param metadata the strings under {@code __metadata__}
 * @param tensors in the order of the JSON
 * @param dataStart the position in the file that offsets count from
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> tensors, long dataStart) {

  /** The largest header that the reference implementation accepts. */
  static final int MAX_BYTES = 100_000_000;

  static final String METADATA = "__metadata__";

  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  /**
   * A tensor's bytes are those from {@code begin} to before {@code end}, counted from the data's
   * start.
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared, and cloned on the way out
  record Entry(SafetensorsType type, long[] shape, long begin, long end) {}

  static SafetensorsHeader read(Path path, FileChannel channel) throws IOException {
    long fileBytes = channel.size();
    if (fileBytes < 8) {
      throw new WeightsException(
          "%s: %d bytes are no safetensors file; its header length alone takes 8"
              .formatted(path, fileBytes));
    }
    ByteBuffer prefix = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    SafetensorsFile.readFully(channel, prefix, 0);
    long headerBytes = prefix.getLong(0);
    if (headerBytes < 2 || headerBytes > MAX_BYTES) {
      throw new WeightsException(
          "%s: header length %s is not between 2 and %d bytes; is this a safetensors file?"
              .formatted(path, Long.toUnsignedString(headerBytes), MAX_BYTES));
    }
    if (headerBytes > fileBytes - 8) {
      throw new WeightsException(
          "%s: the header should take %d bytes, but only %d follow its length; the file is cut short"
              .formatted(path, headerBytes, fileBytes - 8));
    }
    ByteBuffer text = ByteBuffer.allocate((int) headerBytes);
    SafetensorsFile.readFully(channel, text, 8);
    long dataStart = 8 + headerBytes;
    return parse(path, text.flip(), dataStart, fileBytes - dataStart);
  }

  private static SafetensorsHeader parse(
      Path path, ByteBuffer text, long dataStart, long dataBytes) {
    ObjectNode root = json(path, text);
    Map<String, String> metadata = new LinkedHashMap<>();
    Map<String, Entry> tensors = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        for (Map.Entry<String, JsonNode> pair : field.getValue().properties()) {
          if (!pair.getValue().isTextual()) {
            throw new WeightsException(
                "%s: metadata '%s' is %s, expected a string"
                    .formatted(path, pair.getKey(), pair.getValue()));
          }
          metadata.put(pair.getKey(), pair.getValue().textValue());
        }
      } else {
        tensors.put(field.getKey(), entry(path, field.getKey(), field.getValue()));
      }
    }
    checkCovered(path, tensors, dataBytes);
    return new SafetensorsHeader(
        Collections.unmodifiableMap(metadata), Collections.unmodifiableMap(tensors), dataStart);
  }

  private static ObjectNode json(Path path, ByteBuffer text) {
    try {
      String decoded = StandardCharsets.UTF_8.newDecoder().decode(text).toString();
      if (decoded.startsWith("{") && JSON.readTree(decoded) instanceof ObjectNode root) {
        return root;
      }
      throw new WeightsException("%s: the header is not a JSON object".formatted(path));
    } catch (CharacterCodingException e) {
      throw new WeightsException("%s: the header is not UTF-8".formatted(path), e);
    } catch (JsonProcessingException e) {
      throw new WeightsException(
          "%s: the header is not sound JSON: %s".formatted(path, e.getOriginalMessage()), e);
    }
  }

  private static Entry entry(Path path, String name, JsonNode node) {
    JsonNode dtype = node.path("dtype");
    SafetensorsType type =
        Arrays.stream(SafetensorsType.values())
            .filter(t -> t.name().equals(dtype.textValue()))
            .findFirst()
            .orElseThrow(
                () ->
                    new WeightsException(
                        "%s: tensor '%s' has dtype %s, expected one of %s"
                            .formatted(
                                path, name, dtype, Arrays.toString(SafetensorsType.values()))));
    long[] shape = longs(path, name, "shape", node.path("shape"));
    long[] offsets = longs(path, name, "data_offsets", node.path("data_offsets"));
    if (offsets.length != 2 || offsets[0] > offsets[1]) {
      throw new WeightsException(
          "%s: tensor '%s' has data_offsets %s, expected [begin, end] with begin <= end"
              .formatted(path, name, Arrays.toString(offsets)));
    }
    long expected = bytes(path, name, type, shape);
    if (offsets[1] - offsets[0] != expected) {
      throw new WeightsException(
          "%s: tensor '%s' of shape %s and type %s takes %d bytes, but data_offsets %s hold %d"
              .formatted(
                  path,
                  name,
                  Arrays.toString(shape),
                  type,
                  expected,
                  Arrays.toString(offsets),
                  offsets[1] - offsets[0]));
    }
    return new Entry(type, shape, offsets[0], offsets[1]);
  }

  private static long bytes(Path path, String name, SafetensorsType type, long[] shape) {
    try {
      long bytes = type.bytes();
      for (long side : shape) {
        bytes = Math.multiplyExact(bytes, side);
      }
      return bytes;
    } catch (ArithmeticException e) {
      throw new WeightsException(
          "%s: tensor '%s' of shape %s has more bytes than a file can hold"
              .formatted(path, name, Arrays.toString(shape)),
          e);
    }
  }

  private static long[] longs(Path path, String name, String field, JsonNode node) {
    List<Long> values = new ArrayList<>();
    for (JsonNode value : node) {
      if (!value.canConvertToLong() || !value.isIntegralNumber() || value.longValue() < 0) {
        throw new WeightsException(
            "%s: tensor '%s' has %s %s, expected integers from 0 on"
                .formatted(path, name, field, node));
      }
      values.add(value.longValue());
    }
    if (!node.isArray()) {
      throw new WeightsException(
          "%s: tensor '%s' has no list of integers '%s'".formatted(path, name, field));
    }
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  private static void checkCovered(Path path, Map<String, Entry> tensors, long dataBytes) {
    List<Map.Entry<String, Entry>> byOffset = new ArrayList<>(tensors.entrySet());
    byOffset.sort(
        Comparator.comparingLong((Map.Entry<String, Entry> e) -> e.getValue().begin())
            .thenComparingLong(e -> e.getValue().end()));
    long covered = 0;
    for (Map.Entry<String, Entry> tensor : byOffset) {
      long begin = tensor.getValue().begin();
      if (begin != covered) {
        throw new WeightsException(
            "%s: tensor '%s' begins at byte %d of the data, expected %d; %s"
                .formatted(
                    path,
                    tensor.getKey(),
                    begin,
                    covered,
                    begin < covered
                        ? "it overlaps another tensor"
                        : "the bytes between belong to no tensor"));
      }
      covered = tensor.getValue().end();
    }
    if (covered != dataBytes) {
      throw new WeightsException(
          "%s: the tensors take %d bytes, but %d follow the header%s"
              .formatted(
                  path, covered, dataBytes, covered > dataBytes ? "; the file is cut short" : ""));
    }
  }
}
