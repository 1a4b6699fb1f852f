package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;

/**
 * Arrays from numbers and bytes, and back.
 *
 * <p>Every array made here lives in memory that the engine allocated: libtorch's kernels depend on
 * its alignment, and a recycled network buffer under a recorded graph would give wrong gradients
 * without an error. It belongs to the given manager (and to the open {@link Scope}).
 */
public final class Tensors {
  /** Other types abort the process inside the native library. */
  private static final Set<DataType> FROM_BYTES =
      EnumSet.of(DataType.UINT8, DataType.INT32, DataType.INT64, DataType.FLOAT32);

  private Tensors() {}

  /** Float32 zeros. */
  public static NDArray zeros(NDManager manager, long... shape) {
    return manager.zeros(new Shape(shape), DataType.FLOAT32);
  }

  /** A float32 array. */
  public static NDArray of(NDManager manager, float[] values, long... shape) {
    NDArray array = empty(manager, DataType.FLOAT32, values.length * 4L, shape);
    if (values.length > 0) {
      memory(array).asFloatBuffer().put(values);
    }
    return array;
  }

  /** An int32 array. */
  public static NDArray of(NDManager manager, int[] values, long... shape) {
    NDArray array = empty(manager, DataType.INT32, values.length * 4L, shape);
    if (values.length > 0) {
      memory(array).asIntBuffer().put(values);
    }
    return array;
  }

  /** An int64 array. */
  public static NDArray of(NDManager manager, long[] values, long... shape) {
    NDArray array = empty(manager, DataType.INT64, values.length * 8L, shape);
    if (values.length > 0) {
      memory(array).asLongBuffer().put(values);
    }
    return array;
  }

  /**
   * Copies the buffer's remaining bytes; its position stays.
   *
   * @param type UINT8, INT32, INT64 or FLOAT32
   * @throws IllegalArgumentException for another type, or a number of bytes that is not the shape's
   */
  public static NDArray fromBytes(
      NDManager manager, ByteBuffer littleEndian, DataType type, long... shape) {
    if (!FROM_BYTES.contains(type)) {
      throw new IllegalArgumentException(
          "type " + type + " cannot be made from bytes, only " + FROM_BYTES);
    }
    NDArray array = empty(manager, type, littleEndian.remaining(), shape);
    if (littleEndian.hasRemaining()) {
      memory(array).put(littleEndian.duplicate());
    }
    return array;
  }

  /** Float32 values of IEEE half-precision numbers. */
  public static NDArray fromFloat16Bytes(
      NDManager manager, ByteBuffer littleEndian, long... shape) {
    checkBytes(DataType.FLOAT16, littleEndian.remaining(), shape);
    try (NDArray half = manager.create(new Shape(shape), DataType.FLOAT16)) {
      if (littleEndian.hasRemaining()) {
        memory(half).put(littleEndian.duplicate());
      }
      return half.toType(DataType.FLOAT32, /* copy= */ true);
    }
  }

  /** Float32 values of bfloat16 numbers, which are the upper halves of float32. */
  public static NDArray fromBfloat16Bytes(
      NDManager manager, ByteBuffer littleEndian, long... shape) {
    checkBytes(DataType.BFLOAT16, littleEndian.remaining(), shape);
    NDArray array = manager.create(new Shape(shape), DataType.FLOAT32);
    if (littleEndian.hasRemaining()) {
      ShortBuffer upper = littleEndian.slice().order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
      IntBuffer words = memory(array).asIntBuffer();
      while (upper.hasRemaining()) {
        words.put(upper.get() << 16);
      }
    }
    return array;
  }

  /**
   * The array's values as bytes, row-major and little-endian; bfloat16 as two bytes each.
   *
   * @return a read-only buffer; of a contiguous array it is a view of the array's memory, valid
   *     only while the array is open
   */
  public static ByteBuffer bytes(NDArray array) {
    if (array.size() == 0) {
      return ByteBuffer.allocate(0).order(ByteOrder.LITTLE_ENDIAN).asReadOnlyBuffer();
    }
    try (NDArray contiguous = Script.call("contiguous", array)) {
      // Contiguous already, it is the same memory under a second handle, and outlives that handle.
      if (Script.truth("same_memory", array, contiguous)) {
        return memory(array).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
      }
      ByteBuffer view = memory(contiguous);
      ByteBuffer copy = ByteBuffer.allocate(view.remaining()).order(ByteOrder.LITTLE_ENDIAN);
      copy.put(view).flip();
      return copy.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** The values as float32, whatever numeric type the array has. */
  public static float[] floats(NDArray array) {
    if (array.getDataType() != DataType.FLOAT32) {
      try (NDArray cast = Script.call("cast", array, Precision.FP32.code)) {
        return floats(cast);
      }
    }
    FloatBuffer values = bytes(array).asFloatBuffer();
    float[] copy = new float[values.remaining()];
    values.get(copy);
    return copy;
  }

  /** The values of an INT32 array. */
  public static int[] ints(NDArray array) {
    check(array, DataType.INT32);
    IntBuffer values = bytes(array).asIntBuffer();
    int[] copy = new int[values.remaining()];
    values.get(copy);
    return copy;
  }

  /** The values of an INT64 array. */
  public static long[] longs(NDArray array) {
    check(array, DataType.INT64);
    LongBuffer values = bytes(array).asLongBuffer();
    long[] copy = new long[values.remaining()];
    values.get(copy);
    return copy;
  }

  /**
   * Overwrites the target's memory, so that views of it, cached lists and optimizers see the new
   * values (DJL's {@code set} and {@code copyTo} exchange the memory instead). Not recorded.
   *
   * @throws IllegalArgumentException if the shapes differ
   */
  public static void copyInto(NDArray target, NDArray source) {
    if (!target.getShape().equals(source.getShape())) {
      throw new IllegalArgumentException(
          "cannot copy shape " + source.getShape() + " into shape " + target.getShape());
    }
    Script.update("copy", target, source);
  }

  /** Marks a float32 leaf as one whose gradient is wanted; returns it. */
  public static NDArray requireGradient(NDArray leaf) {
    check(leaf, DataType.FLOAT32);
    leaf.setRequiresGradient(true);
    return leaf;
  }

  /**
   * Whether a backward pass could start at this array. DJL's {@code hasGradient} tells this of
   * leaves only, and its query for the function's name crashes where there is none.
   */
  public static boolean isRecorded(NDArray array) {
    return Script.truth("is_recorded", array);
  }

  private static NDArray empty(NDManager manager, DataType type, long bytes, long... shape) {
    checkBytes(type, bytes, shape);
    return manager.create(new Shape(shape), type);
  }

  private static void checkBytes(DataType type, long bytes, long... shape) {
    long expected = type.getNumOfBytes();
    for (long size : shape) {
      if (size < 0) {
        throw new IllegalArgumentException(
            "shape " + Arrays.toString(shape) + " has the negative size " + size);
      }
      expected = Math.multiplyExact(expected, size);
    }
    if (expected != bytes) {
      throw new IllegalArgumentException(
          String.format(
              "shape %s of %s takes %d bytes, found %d",
              Arrays.toString(shape), type, expected, bytes));
    }
  }

  private static void check(NDArray array, DataType type) {
    if (array.getDataType() != type) {
      throw new IllegalArgumentException(
          "expected an array of " + type + ", found " + array.getDataType());
    }
  }

  /** The memory of a contiguous array. */
  private static ByteBuffer memory(NDArray array) {
    return array.toByteBuffer(/* tryDirect= */ true).order(ByteOrder.LITTLE_ENDIAN);
  }
}
