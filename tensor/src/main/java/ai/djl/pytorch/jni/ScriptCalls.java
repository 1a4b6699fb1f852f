package ai.djl.pytorch.jni;

import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import org.jspecify.annotations.NullMarked;

/**
 * Raw calls of a script's methods with typed arguments, autograd included.
 *
 * <p>Lives in DJL's package because {@code PyTorchLibrary} is package-private and its public
 * wrappers leave a gap: {@code IValueUtils.runMethod} takes numbers and lists but always runs in
 * inference mode, {@code IValueUtils.forward} keeps autograd but takes tensors only and parses
 * array names on every call. Works on the class path only (a named module would be split).
 *
 * <p>A value is a native handle; whoever makes one frees it with {@link #free}.
 */
@NullMarked
public final class ScriptCalls {
  private static final PyTorchLibrary LIB = PyTorchLibrary.LIB;

  private ScriptCalls() {}

  public static long value(PtNDArray array) {
    return LIB.iValueFromTensor(array.getHandle());
  }

  public static long value(long number) {
    return LIB.iValueFromLong(number);
  }

  public static long value(double number) {
    return LIB.iValueFromDouble(number);
  }

  public static long value(double[] numbers) {
    return LIB.iValueFromDoubleList(numbers);
  }

  public static long value(long[] tensorHandles) {
    return LIB.iValueFromTensorList(tensorHandles);
  }

  public static void free(long value) {
    LIB.torchDeleteIValue(value);
  }

  /**
   * Runs a method.
   *
   * @param inference true for torch's inference mode: no graph, and results can never enter one;
   *     false to follow the calling thread's gradient mode
   * @return the result's value, to be freed by the caller
   */
  public static long run(PtSymbolBlock script, String method, long[] values, boolean inference) {
    return LIB.moduleRunMethod(
        script.getHandle(),
        method,
        values,
        /* isTrain= */ !inference,
        /* separateCudaStream= */ false);
  }

  public static PtNDArray toArray(long value, PtNDManager owner) {
    return new PtNDArray(owner, LIB.iValueToTensor(value));
  }

  public static double toDouble(long value) {
    return LIB.iValueToDouble(value);
  }

  public static boolean toBoolean(long value) {
    return LIB.iValueToBool(value);
  }

  /**
   * Graph rewriting is a setting of the calling thread in libtorch, on by default. Off, a method
   * runs the same operators on its first and on its hundredth call.
   */
  public static void runAsWritten() {
    LIB.setGraphExecutorOptimize(false);
  }
}
