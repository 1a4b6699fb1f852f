package org.maskedkd.vit;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Writes safetensors files, tensor by tensor in the order given, so that a model is never in memory
 * twice and equal tensors give equal files. The file appears whole or not at all.
 */
public final class SafetensorsWriter {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int WINDOW_BYTES = 1 << 20;
  private static final Pattern LEFTOVER = Pattern.compile(".+\\.safetensors\\.[0-9a-f-]{36}\\.tmp");

  private SafetensorsWriter() {}

  /**
   * One tensor to write.
   *
   * @param shape its sides; empty for a scalar
   * @param source asked once, when its turn comes, for all the tensor's bytes, little-endian and
   *     row-major
   */
  @SuppressWarnings("ArrayRecordComponent") // a request, never compared
  public record Entry(
      String name, SafetensorsType type, long[] shape, Supplier<ByteBuffer> source) {

    /** A tensor of floats, written as F32, F16 or BF16 (rounded to nearest even). */
    public static Entry floats(
        String name, SafetensorsType type, long[] shape, Supplier<float[]> source) {
      return new Entry(name, type, shape, () -> encoded(type, source.get()));
    }

    private static ByteBuffer encoded(SafetensorsType type, float[] values) {
      ByteBuffer bytes =
          ByteBuffer.allocate(Math.multiplyExact(values.length, type.bytes()))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (float value : values) {
        type.putFloat(bytes, value);
      }
      return bytes.flip();
    }

    private long bytes() {
      return LongStream.of(shape).reduce(type.bytes(), Math::multiplyExact);
    }
  }

  /**
   * Writes beside {@code path}, forces the bytes to the disk and renames, replacing what was there.
   *
   * @param metadata strings for {@code __metadata__}; left out when empty
   * @throws IOException if the file cannot be written; nothing is left behind then
   * @throws IllegalArgumentException if two tensors share a name or a source has another number of
   *     bytes than its shape
   */
  public static void write(Path path, Map<String, String> metadata, List<Entry> entries)
      throws IOException {
    byte[] header = header(metadata, entries);
    Path directory = Objects.requireNonNull(path.toAbsolutePath().getParent(), "a root is no file");
    Path aside = directory.resolve("%s.%s.tmp".formatted(path.getFileName(), UUID.randomUUID()));
    try {
      try (FileChannel channel =
          FileChannel.open(aside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        writeFully(channel, length.putLong(header.length).flip());
        writeFully(channel, ByteBuffer.wrap(header));
        for (Entry entry : entries) {
          writeFully(channel, checked(entry));
        }
        channel.force(true);
      }
      Files.move(aside, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(aside);
    }
    // The rename itself is durable only once the directory is.
    try (FileChannel parent = FileChannel.open(directory, StandardOpenOption.READ)) {
      parent.force(true);
    }
  }

  /**
   * Removes what writers that were killed left beside the files of a directory. For its one writer;
   * another's file may be in the making.
   */
  public static void removeLeftovers(Path directory) throws IOException {
    List<Path> leftovers;
    try (Stream<Path> files = Files.list(directory)) {
      leftovers =
          files.filter(file -> LEFTOVER.matcher(file.getFileName().toString()).matches()).toList();
    }
    for (Path file : leftovers) {
      Files.delete(file);
    }
  }

  private static byte[] header(Map<String, String> metadata, List<Entry> entries) {
    ObjectNode root = JSON.createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode strings = root.putObject(SafetensorsHeader.METADATA);
      new TreeMap<>(metadata).forEach(strings::put);
    }
    long offset = 0;
    for (Entry entry : entries) {
      if (root.has(entry.name())) {
        throw new IllegalArgumentException(
            "tensor name '%s' is given twice or is reserved".formatted(entry.name()));
      }
      ObjectNode node = root.putObject(entry.name()).put("dtype", entry.type().name());
      ArrayNode shape = node.putArray("shape");
      LongStream.of(entry.shape()).forEach(shape::add);
      long end = Math.addExact(offset, entry.bytes());
      node.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    byte[] text = root.toString().getBytes(StandardCharsets.UTF_8);
    // Spaces up to a multiple of 8 keep the tensors aligned for readers that map the file.
    byte[] padded = Arrays.copyOf(text, (text.length + 7) / 8 * 8);
    Arrays.fill(padded, text.length, padded.length, (byte) ' ');
    return padded;
  }

  private static ByteBuffer checked(Entry entry) {
    ByteBuffer bytes = entry.source().get().duplicate();
    if (bytes.remaining() != entry.bytes()) {
      throw new IllegalArgumentException(
          "tensor '%s' of shape %s and type %s takes %d bytes, but %d were given"
              .formatted(
                  entry.name(),
                  Arrays.toString(entry.shape()),
                  entry.type(),
                  entry.bytes(),
                  bytes.remaining()));
    }
    return bytes;
  }

  // In windows, because the channel copies a heap buffer into a direct one of the same size.
  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    int end = bytes.limit();
    while (bytes.position() < end) {
      bytes.limit(Math.min(end, bytes.position() + WINDOW_BYTES));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      bytes.limit(end);
    }
  }
}
