package org.maskedkd.vit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A safetensors file open for reading. Only the header is read at once; a tensor is read when it is
 * asked for, through a window of bounded size, from any offset, so files beyond 2 GiB are no
 * different from small ones. Not thread-safe.
 */
public final class SafetensorsFile implements AutoCloseable {

  private static final int WINDOW_BYTES = 1 << 20;

  private final Path path;
  private final FileChannel channel;
  private final SafetensorsHeader header;
  private final ByteBuffer window =
      ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN);

  private SafetensorsFile(Path path, FileChannel channel, SafetensorsHeader header) {
    this.path = path;
    this.channel = channel;
    this.header = header;
  }

  /**
   * Opens a file and checks its whole header as the reference implementation does.
   *
   * @throws WeightsException if it is missing, unreadable or not a sound safetensors file
   */
  public static SafetensorsFile open(Path path) {
    FileChannel channel = null;
    try {
      channel = FileChannel.open(path, StandardOpenOption.READ);
      SafetensorsFile file =
          new SafetensorsFile(path, channel, SafetensorsHeader.read(path, channel));
      channel = null;
      return file;
    } catch (NoSuchFileException e) {
      throw new WeightsException("%s: no such file".formatted(path), e);
    } catch (IOException e) {
      throw new WeightsException("%s: cannot be read: %s".formatted(path, e), e);
    } finally {
      closeChannel(channel);
    }
  }

  /** Where the file is. */
  public Path path() {
    return path;
  }

  /** The free-form strings of the header's {@code __metadata__}; empty if there are none. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /** Tensor names in the order of the header. */
  public Set<String> names() {
    return header.tensors().keySet();
  }

  public boolean contains(String name) {
    return header.tensors().containsKey(name);
  }

  /** The tensor's shape; empty for a scalar. */
  public long[] shape(String name) {
    return entry(name).shape().clone();
  }

  public SafetensorsType type(String name) {
    return entry(name).type();
  }

  /**
   * Reads a tensor of type F32, F16, BF16 or F64, row-major.
   *
   * @throws WeightsException if there is no such tensor or it has another type
   */
  public float[] readFloats(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    if (!entry.type().readsAsFloat()) {
      throw new WeightsException(
          "%s: tensor '%s' is %s, expected F32, F16, BF16 or F64"
              .formatted(path, name, entry.type()));
    }
    float[] values = new float[elements(name, entry)];
    int[] next = {0};
    stream(
        name,
        entry,
        bytes -> {
          while (bytes.hasRemaining()) {
            values[next[0]++] = entry.type().nextFloat(bytes);
          }
        });
    return values;
  }

  /**
   * Reads a tensor of type I64, I32, I16, I8 or U8, row-major.
   *
   * @throws WeightsException if there is no such tensor or it has another type
   */
  public long[] readLongs(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    if (!entry.type().readsAsLong()) {
      throw new WeightsException(
          "%s: tensor '%s' is %s, expected I64, I32, I16, I8 or U8"
              .formatted(path, name, entry.type()));
    }
    long[] values = new long[elements(name, entry)];
    int[] next = {0};
    stream(
        name,
        entry,
        bytes -> {
          while (bytes.hasRemaining()) {
            values[next[0]++] = entry.type().nextLong(bytes);
          }
        });
    return values;
  }

  /**
   * Hands a tensor's bytes over in windows of at most 1 MiB, in order; a window is valid only
   * during its call.
   */
  public void readBytes(String name, WindowReader reader) {
    stream(name, entry(name), reader);
  }

  /** Receives a little-endian window of whole elements. */
  @FunctionalInterface
  public interface WindowReader {
    void accept(ByteBuffer window);
  }

  @Override
  public void close() {
    closeChannel(channel);
  }

  private void stream(String name, SafetensorsHeader.Entry entry, WindowReader reader) {
    long position = header.dataStart() + entry.begin();
    long end = header.dataStart() + entry.end();
    while (position < end) {
      window.clear().limit((int) Math.min(WINDOW_BYTES, end - position));
      try {
        readFully(channel, window, position);
      } catch (IOException e) {
        throw new WeightsException(
            "%s: tensor '%s' cannot be read at byte %d: %s".formatted(path, name, position, e), e);
      }
      window.flip();
      position += window.remaining();
      reader.accept(window);
    }
  }

  static void readFully(FileChannel channel, ByteBuffer into, long position) throws IOException {
    while (into.hasRemaining()) {
      int read = channel.read(into, position);
      if (read < 0) {
        throw new IOException(
            "the file ends at byte %d, %d more were expected"
                .formatted(position, into.remaining()));
      }
      position += read;
    }
  }

  private int elements(String name, SafetensorsHeader.Entry entry) {
    long elements = (entry.end() - entry.begin()) / entry.type().bytes();
    if (elements > Integer.MAX_VALUE - 8) {
      throw new WeightsException(
          "%s: tensor '%s' of shape %s has %d elements, more than one array holds"
              .formatted(path, name, Arrays.toString(entry.shape()), elements));
    }
    return (int) elements;
  }

  private SafetensorsHeader.Entry entry(String name) {
    SafetensorsHeader.Entry entry = header.tensors().get(name);
    if (entry == null) {
      throw new WeightsException(
          "%s: no tensor '%s'%s"
              .formatted(
                  path,
                  name,
                  names().isEmpty()
                      ? "; the file holds none"
                      : "; the nearest of %d is '%s'"
                          .formatted(names().size(), Nearest.of(name, names()))));
    }
    return entry;
  }

  private static void closeChannel(@Nullable FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        throw new WeightsException("a weights file cannot be closed: " + e, e);
      }
    }
  }
}
