package org.maskedkd.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import org.jspecify.annotations.Nullable;

/**
 * Owns every array that the calling thread makes between {@link #open} and {@link #close}, whatever
 * manager it attaches to. Scopes nest; each is closed by the thread that opened it, innermost
 * first. Arrays made by other threads are not covered.
 *
 * <p>Closing an intermediate before the backward pass is safe: the graph holds what it needs.
 */
public final class Scope implements AutoCloseable {
  private final Thread owner = Thread.currentThread();
  private final NDScope arrays = new NDScope();
  private @Nullable NDManager manager;
  private boolean closed;

  private Scope() {}

  public static Scope open() {
    return new Scope();
  }

  /** A manager that closes with this scope, for arrays made from nothing. */
  public NDManager manager() {
    checkThread();
    NDManager made = manager;
    if (made == null) {
      made = Torch.manager().newSubManager();
      manager = made;
    }
    return made;
  }

  /**
   * Takes an array made in this scope, the innermost one, out of it.
   *
   * @return the same array, which the caller now has to close
   */
  public NDArray keep(NDArray array) {
    checkThread();
    NDScope.unregister(array);
    if (array.getManager() == manager) {
      array.attach(Torch.manager());
    }
    return array;
  }

  /** Gives an array that was kept out of a scope, closed by now, to the scope around it. */
  public static NDArray handOver(NDArray array) {
    NDScope.register(array);
    return array;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    checkThread();
    closed = true;
    arrays.close();
    if (manager != null) {
      manager.close();
    }
  }

  /** For arrays that belong to an object rather than to the scope they happen to be made in. */
  static NDArray release(NDArray array) {
    NDScope.unregister(array);
    return array;
  }

  private void checkThread() {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException(
          "a scope of thread "
              + owner.getName()
              + " was used by thread "
              + Thread.currentThread().getName()
              + "; open one per thread");
    }
  }
}
