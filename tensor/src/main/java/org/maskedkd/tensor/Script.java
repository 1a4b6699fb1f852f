package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.pytorch.jni.ScriptCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.function.LongFunction;

/**
 * The loaded scripts ({@code operators.txt}, {@code onednn.txt}) and the way to call their methods.
 *
 * <p>Arguments may be {@link NDArray}, {@link TensorList}, {@code Integer}, {@code Long}, {@code
 * Double} and {@code double[]}; they must match the method's signature in the script.
 */
final class Script {
  private static final ThreadLocal<Boolean> RUNS_AS_WRITTEN =
      ThreadLocal.withInitial(
          () -> {
            ScriptCalls.runAsWritten();
            return true;
          });

  private Script() {}

  /** Loaded on first use, after the engine. */
  private static final class Loaded {
    static final PtSymbolBlock SCRIPT = load("Operators", "operators.txt");
  }

  /** Apart, because a script loads only where libtorch has every operator that it names. */
  private static final class LoadedOneDnn {
    static final PtSymbolBlock SCRIPT = load("OneDnn", "onednn.txt");
  }

  private static PtSymbolBlock load(String type, String resource) {
    try (InputStream source = Script.class.getResourceAsStream(resource)) {
      String text =
          new String(
              Objects.requireNonNull(source, resource + " is missing from the tensor jar")
                  .readAllBytes(),
              StandardCharsets.UTF_8);
      return JniUtils.loadModule(
          (PtNDManager) Torch.manager(),
          new ByteArrayInputStream(ScriptArchive.write(type, text)),
          /* mapLocation= */ false,
          /* hasSize= */ false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A native list of tensors kept for many calls; closing it leaves the tensors alone. */
  static final class TensorList implements AutoCloseable {
    private final long value;
    private boolean closed;

    TensorList(List<NDArray> arrays) {
      value = listValue(arrays);
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        ScriptCalls.free(value);
      }
    }
  }

  /** Calls a method that returns a tensor, which belongs to the manager of {@code first}. */
  static NDArray call(String method, NDArray first, Object... more) {
    return call(Loaded.SCRIPT, method, first, more);
  }

  /** As {@link #call(String, NDArray, Object...)} in the script of oneDNN's operators. */
  static NDArray callOneDnn(String method, NDArray first, Object... more) {
    return call(LoadedOneDnn.SCRIPT, method, first, more);
  }

  private static NDArray call(PtSymbolBlock script, String method, NDArray first, Object... more) {
    Object[] arguments = new Object[more.length + 1];
    arguments[0] = first;
    System.arraycopy(more, 0, arguments, 1, more.length);
    PtNDManager owner = ((PtNDArray) first).getManager();
    return run(
        script,
        method,
        /* inference= */ false,
        value -> ScriptCalls.toArray(value, owner),
        arguments);
  }

  /** As {@link #call} for methods that take only lists: the result belongs to {@code owner}. */
  static NDArray callInto(PtNDManager owner, String method, Object... arguments) {
    return run(
        method, /* inference= */ false, value -> ScriptCalls.toArray(value, owner), arguments);
  }

  /** Calls a method for its effect on its arguments, outside autograd. */
  static void update(String method, Object... arguments) {
    run(method, /* inference= */ true, value -> true, arguments);
  }

  static double number(String method, Object... arguments) {
    return run(method, /* inference= */ true, ScriptCalls::toDouble, arguments);
  }

  static boolean truth(String method, Object... arguments) {
    return run(method, /* inference= */ true, ScriptCalls::toBoolean, arguments);
  }

  private static <T> T run(
      String method, boolean inference, LongFunction<T> result, Object... arguments) {
    return run(Loaded.SCRIPT, method, inference, result, arguments);
  }

  private static <T> T run(
      PtSymbolBlock script,
      String method,
      boolean inference,
      LongFunction<T> result,
      Object... arguments) {
    RUNS_AS_WRITTEN.get();
    long[] values = new long[arguments.length];
    int made = 0;
    try {
      for (Object argument : arguments) {
        values[made] = value(argument);
        made++;
      }
      long value = ScriptCalls.run(script, method, values, inference);
      try {
        return result.apply(value);
      } finally {
        ScriptCalls.free(value);
      }
    } finally {
      for (int i = 0; i < made; i++) {
        if (!(arguments[i] instanceof TensorList)) {
          ScriptCalls.free(values[i]);
        }
      }
    }
  }

  private static long value(Object argument) {
    if (argument instanceof PtNDArray array) {
      return ScriptCalls.value(array);
    }
    if (argument instanceof Double number) {
      return ScriptCalls.value(number.doubleValue());
    }
    if (argument instanceof Number number) {
      return ScriptCalls.value(number.longValue());
    }
    if (argument instanceof TensorList list) {
      if (list.closed) {
        throw new IllegalStateException("a tensor list was used after it was closed");
      }
      return list.value;
    }
    if (argument instanceof double[] numbers) {
      return ScriptCalls.value(numbers);
    }
    throw new IllegalArgumentException("no script argument can be made of " + argument.getClass());
  }

  private static long listValue(List<NDArray> arrays) {
    long[] handles = new long[arrays.size()];
    for (int i = 0; i < handles.length; i++) {
      handles[i] = ((PtNDArray) arrays.get(i)).getHandle();
    }
    return ScriptCalls.value(handles);
  }
}
