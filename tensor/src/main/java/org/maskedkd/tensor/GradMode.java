package org.maskedkd.tensor;

import ai.djl.pytorch.jni.JniUtils;

/**
 * Whether operators of the calling thread record a graph for gradients. libtorch keeps this per
 * thread and a new thread records, so a task that wants no graph has to say so.
 */
public final class GradMode implements AutoCloseable {
  private final boolean before;
  private final Thread owner = Thread.currentThread();

  private GradMode(boolean enabled) {
    Torch.manager();
    before = JniUtils.isGradMode();
    JniUtils.setGradMode(enabled);
  }

  public static GradMode on() {
    return new GradMode(true);
  }

  public static GradMode off() {
    return new GradMode(false);
  }

  /** Whether the calling thread records now. */
  public static boolean isOn() {
    Torch.manager();
    return JniUtils.isGradMode();
  }

  /** Restores what was before; by the thread that opened it. */
  @Override
  public void close() {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException(
          "gradient mode of thread " + owner.getName() + " cannot be restored by another thread");
    }
    JniUtils.setGradMode(before);
  }
}
