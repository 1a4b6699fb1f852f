package org.maskedkd.runtime;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import org.maskedkd.proto.v1.Span;

/**
 * Times a stage's task from where it is made to {@link #stop}, both on the thread that computes.
 */
public final class TaskTimer {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final boolean onThisThread;
  private final long cpu;
  private final long start = System.nanoTime();

  /**
   * Begins now.
   *
   * @param onThisThread whether all of the task is computed by the calling thread, so that its
   *     processor time is the task's
   */
  public TaskTimer(boolean onThisThread) {
    this.onThisThread = onThisThread && THREADS.isCurrentThreadCpuTimeSupported();
    this.cpu = this.onThisThread ? THREADS.getCurrentThreadCpuTime() : 0;
  }

  /**
   * The task's span, which ends now.
   *
   * @param index of the micro-batch; 0 where the operation has none
   */
  public Span stop(String operation, int index) {
    return Span.newBuilder()
        .setOperation(operation)
        .setIndex(index)
        .setStartNanos(start)
        .setEndNanos(System.nanoTime())
        .setCpuNanos(onThisThread ? THREADS.getCurrentThreadCpuTime() - cpu : 0)
        .build();
  }
}
