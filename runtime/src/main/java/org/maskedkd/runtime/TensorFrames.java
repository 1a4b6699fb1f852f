package org.maskedkd.runtime;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.maskedkd.proto.v1.DType;
import org.maskedkd.proto.v1.Tensor;

/**
 * The wire's named tensors, cut into frames and put together again.
 *
 * <p>Frames of about 1 MiB stay below every message limit and are faster than larger ones, which
 * fall out of the cache on their way through gRPC's copies. Cutting shares bytes instead of copying
 * them, and so does putting together, so a relay that passes frames on costs nothing but the wire
 * itself.
 */
public final class TensorFrames {
  /**
   * Most tensor bytes in one message. A multiple of every element size, so no element is ever
   * split.
   */
  public static final int FRAME_BYTES = 1 << 20;

  private static final int MAX_TENSORS = 256;
  private static final int MAX_NAME_LENGTH = 200;
  private static final int MAX_DIMENSIONS = 8;

  /** A frame costs memory of its own, however small it is. */
  private static final int MAX_SMALL_FRAMES = 64;

  private TensorFrames() {}

  /**
   * Groups of tensor entries, each group one message of at most {@link #FRAME_BYTES} tensor bytes.
   * Takes whole tensors, or frames as {@link Assembler#frames()} gives them, which pass as they
   * are. There is always at least one group; the last one is the message to be sent with {@code
   * last} set.
   */
  public static List<List<Tensor>> cut(List<Tensor> tensors) {
    List<List<Tensor>> messages = new ArrayList<>();
    List<Tensor> message = new ArrayList<>();
    int filled = 0;
    for (Tensor tensor : tensors) {
      int size = tensor.getData().size();
      int from = 0;
      do {
        int rest = size - from;
        int room = FRAME_BYTES - filled;
        if (rest > room && (rest <= FRAME_BYTES || room < Long.BYTES)) {
          messages.add(Collections.unmodifiableList(message));
          message = new ArrayList<>();
          filled = 0;
        }
        int to = Math.min(size, from + FRAME_BYTES - filled);
        // Whole elements only, whatever their size.
        to -= to == size ? 0 : (to - from) % Long.BYTES;
        message.add(from == 0 && to == size ? tensor : slice(tensor, from, to));
        filled += to - from;
        from = to;
      } while (from < size);
    }
    messages.add(Collections.unmodifiableList(message));
    return messages;
  }

  private static Tensor slice(Tensor tensor, int from, int to) {
    return tensor.toBuilder()
        .setOffset(tensor.getOffset() + from)
        .setData(tensor.getData().substring(from, to))
        .build();
  }

  /** A float32 tensor of {@code shape}. The values are copied. */
  public static Tensor floats(String name, float[] values, long... shape) {
    ByteBuffer bytes = littleEndian(values.length);
    bytes.asFloatBuffer().put(values);
    return whole(name, DType.DTYPE_FLOAT32, UnsafeByteOperations.unsafeWrap(bytes), shape);
  }

  /** An int32 tensor of {@code shape}. The values are copied. */
  public static Tensor ints(String name, int[] values, long... shape) {
    ByteBuffer bytes = littleEndian(values.length);
    bytes.asIntBuffer().put(values);
    return whole(name, DType.DTYPE_INT32, UnsafeByteOperations.unsafeWrap(bytes), shape);
  }

  /**
   * A uint8 tensor of {@code shape} from the buffer's remaining bytes. They are copied: the buffer
   * may be native memory that is freed before the message is sent, and a direct buffer would be
   * slower to send.
   */
  public static Tensor bytes(String name, ByteBuffer bytes, long... shape) {
    return whole(name, DType.DTYPE_UINT8, ByteString.copyFrom(bytes.duplicate()), shape);
  }

  private static ByteBuffer littleEndian(int elements) {
    return ByteBuffer.allocate(Math.multiplyExact(elements, Float.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  private static Tensor whole(String name, DType dtype, ByteString data, long... shape) {
    Tensor.Builder tensor = Tensor.newBuilder().setName(name).setDtype(dtype).setData(data);
    for (long dimension : shape) {
      tensor.addShape(dimension);
    }
    Tensor built = tensor.build();
    long expected = totalBytes(built);
    if (expected != data.size()) {
      throw new IllegalArgumentException(
          describe(built) + " needs " + expected + " bytes but was given " + data.size());
    }
    return built;
  }

  /** Bytes of the whole tensor that {@code frame} belongs to, from its shape. */
  private static long totalBytes(Tensor frame) {
    if (frame.getShapeCount() > MAX_DIMENSIONS) {
      throw new IllegalArgumentException(
          describe(frame)
              + " has "
              + frame.getShapeCount()
              + " dimensions; at most "
              + MAX_DIMENSIONS
              + " are accepted");
    }
    long total = elementBytes(frame);
    for (long dimension : frame.getShapeList()) {
      if (dimension < 0) {
        throw new IllegalArgumentException(
            describe(frame)
                + " has the negative dimension "
                + dimension
                + "; dimensions are 0 or more");
      }
      try {
        total = Math.multiplyExact(total, dimension);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException(
            describe(frame) + " has more bytes than the " + Long.MAX_VALUE + " that can be counted",
            e);
      }
    }
    return total;
  }

  private static int elementBytes(Tensor frame) {
    return switch (frame.getDtype()) {
      case DTYPE_UINT8 -> 1;
      case DTYPE_INT32, DTYPE_FLOAT32 -> 4;
      case DTYPE_INT64 -> 8;
      case DTYPE_UNSPECIFIED, UNRECOGNIZED ->
          throw new IllegalArgumentException(
              "tensor '"
                  + frame.getName()
                  + "' has the unknown element type "
                  + frame.getDtypeValue()
                  + "; known are uint8 (1), int32 (2), int64 (3) and float32 (4)");
    };
  }

  /**
   * One of {@code tensors}, checked.
   *
   * @param shape what it must be; -1 stands for any size
   * @throws IllegalArgumentException when it is missing or different; the message holds both
   */
  public static NamedTensor require(
      Map<String, NamedTensor> tensors, String name, DType dtype, long... shape) {
    NamedTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(
          "tensor '" + name + "' is missing; what came is " + tensors.keySet());
    }
    long[] found = tensor.shape();
    boolean fits = tensor.dtype() == dtype && found.length == shape.length;
    for (int i = 0; fits && i < shape.length; i++) {
      fits = shape[i] == -1 || shape[i] == found[i];
    }
    if (!fits) {
      throw new IllegalArgumentException(
          tensor + " is not the expected " + dtype + Arrays.toString(shape) + " (-1: any size)");
    }
    return tensor;
  }

  private static String describe(Tensor frame) {
    List<Long> shape = frame.getShapeList();
    boolean tooLong = shape.size() > 2 * MAX_DIMENSIONS;
    return "tensor "
        + Quote.of(frame.getName())
        + " "
        + frame.getDtype()
        + (tooLong ? shape.subList(0, MAX_DIMENSIONS) + "..." : shape);
  }

  /**
   * Puts the frames of one set of tensors together. Every field is checked before anything is kept,
   * so a hostile peer can make it hold no more than {@code maxBytes}. Not thread-safe.
   */
  public static final class Assembler {
    private final long maxBytes;
    private final Map<String, Growing> tensors = new LinkedHashMap<>();
    private final List<Tensor> frames = new ArrayList<>();
    private long announcedBytes;

    /**
     * An empty set.
     *
     * @param maxBytes most bytes that all its tensors together may announce
     */
    public Assembler(long maxBytes) {
      this.maxBytes = maxBytes;
    }

    /**
     * Takes the next frame of a tensor.
     *
     * @throws IllegalArgumentException when it does not follow from the frames before it; the
     *     message holds what was expected and what was found
     */
    public void add(Tensor frame) {
      String name = frame.getName();
      if (name.isBlank() || name.length() > MAX_NAME_LENGTH) {
        throw new IllegalArgumentException(
            "a tensor's name has "
                + name.length()
                + " characters; expected 1 to "
                + MAX_NAME_LENGTH
                + ", not all blank");
      }
      Growing tensor = tensors.get(name);
      if (tensor == null) {
        tensor = announce(frame);
      } else {
        if (frame.getDtypeValue() != tensor.first.getDtypeValue()
            || !frame.getShapeList().equals(tensor.first.getShapeList())) {
          throw new IllegalArgumentException(
              "a later frame calls itself "
                  + describe(frame)
                  + " but the first one was "
                  + describe(tensor.first));
        }
        if (tensor.received == tensor.total) {
          throw new IllegalArgumentException(
              describe(frame)
                  + " came twice: all its "
                  + tensor.total
                  + " bytes were there, then a frame at "
                  + frame.getOffset());
        }
      }
      tensor.take(frame);
      tensors.put(name, tensor);
      frames.add(frame);
    }

    private Growing announce(Tensor frame) {
      if (tensors.size() == MAX_TENSORS) {
        throw new IllegalArgumentException(
            describe(frame)
                + " is number "
                + (MAX_TENSORS + 1)
                + "; at most "
                + MAX_TENSORS
                + " tensors are accepted");
      }
      long total = totalBytes(frame);
      if (total > maxBytes - announcedBytes) {
        throw new IllegalArgumentException(
            describe(frame)
                + " has "
                + total
                + " bytes, and with the "
                + announcedBytes
                + " of the tensors before it that is more than the "
                + maxBytes
                + " accepted");
      }
      announcedBytes += total;
      return new Growing(frame, total);
    }

    /**
     * The tensors by name, in the order in which they began.
     *
     * @throws IllegalArgumentException when one is incomplete
     */
    public Map<String, NamedTensor> finish() {
      Map<String, NamedTensor> finished = new LinkedHashMap<>();
      tensors.forEach(
          (name, tensor) -> {
            if (tensor.received != tensor.total) {
              throw new IllegalArgumentException(
                  describe(tensor.first)
                      + " ended after "
                      + tensor.received
                      + " of "
                      + tensor.total
                      + " bytes");
            }
            finished.put(name, new NamedTensor(tensor.first, tensor.data));
          });
      return Collections.unmodifiableMap(finished);
    }

    /** The frames as they came, for passing on untouched. */
    public List<Tensor> frames() {
      return Collections.unmodifiableList(frames);
    }
  }

  private static final class Growing {
    final Tensor first;
    final long total;
    long received;
    long frames;
    ByteString data = ByteString.EMPTY;

    Growing(Tensor first, long total) {
      this.first = first;
      this.total = total;
    }

    void take(Tensor frame) {
      int size = frame.getData().size();
      if (frame.getOffset() != received) {
        String fault = frame.getOffset() > received ? "leaves a gap" : "overlaps";
        throw new IllegalArgumentException(
            describe(frame)
                + " "
                + fault
                + ": a frame begins at byte "
                + frame.getOffset()
                + "; expected "
                + received);
      }
      if (size > total - received) {
        throw new IllegalArgumentException(
            describe(frame) + " has " + total + " bytes, but its frames hold " + (received + size));
      }
      if (size == 0 && total > 0) {
        throw new IllegalArgumentException(
            describe(frame) + " has an empty frame at byte " + received + " of " + total);
      }
      frames++;
      // Cutting what was cut before at most doubles the frames.
      if (frames > MAX_SMALL_FRAMES + 4 * (total / FRAME_BYTES)) {
        throw new IllegalArgumentException(
            describe(frame)
                + " of "
                + total
                + " bytes comes in more than "
                + (frames - 1)
                + " frames; expected frames of about "
                + FRAME_BYTES
                + " bytes");
      }
      if (size % elementBytes(frame) != 0) {
        throw new IllegalArgumentException(
            describe(frame)
                + " has a frame of "
                + size
                + " bytes, which splits an element of "
                + elementBytes(frame));
      }
      data = data.isEmpty() ? frame.getData() : data.concat(frame.getData());
      received += size;
    }
  }

  /** A whole tensor as it came over the wire: little-endian, row-major. Immutable. */
  public static final class NamedTensor {
    private final Tensor first;
    private final ByteString data;

    private NamedTensor(Tensor first, ByteString data) {
      this.first = first;
      this.data = data;
    }

    public String name() {
      return first.getName();
    }

    public DType dtype() {
      return first.getDtype();
    }

    /** The dimensions; a copy. */
    public long[] shape() {
      return first.getShapeList().stream().mapToLong(Long::longValue).toArray();
    }

    /** The elements' bytes; in several pieces when they came in several frames. */
    public ByteString data() {
      return data;
    }

    /**
     * The elements' bytes in one piece, read-only and little-endian; copied only when they came in
     * several frames.
     */
    public ByteBuffer bytes() {
      return data.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * A copy of the elements.
     *
     * @throws IllegalArgumentException when they are not float32
     */
    public float[] floats() {
      requireType(DType.DTYPE_FLOAT32);
      float[] values = new float[data.size() / Float.BYTES];
      bytes().asFloatBuffer().get(values);
      return values;
    }

    /**
     * A copy of the elements.
     *
     * @throws IllegalArgumentException when they are not int32
     */
    public int[] ints() {
      requireType(DType.DTYPE_INT32);
      int[] values = new int[data.size() / Integer.BYTES];
      bytes().asIntBuffer().get(values);
      return values;
    }

    private void requireType(DType expected) {
      if (dtype() != expected) {
        throw new IllegalArgumentException(describe(first) + " was to be read as " + expected);
      }
    }

    @Override
    public String toString() {
      return describe(first);
    }
  }
}
