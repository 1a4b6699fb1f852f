package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.NetworkLoop;
import org.maskedkd.runtime.RunException;

/**
 * The one thread on which a run decides anything, and which serves its connections meanwhile. Every
 * gRPC callback is executed here (the loop is the calls' executor, so a slow loop also holds back
 * what the peers may send), and so are timers; the run's own code calls {@link #runUntil} to wait.
 * Only {@link #execute} and {@link #fail} may be called from other threads.
 */
final class EventLoop implements Executor {

  /** Something to be done at a time, unless cancelled. */
  static final class Timer {
    private final long atNanos;
    private final Runnable task;
    private boolean cancelled;

    private Timer(long atNanos, Runnable task) {
      this.atNanos = atNanos;
      this.task = task;
    }

    void cancel() {
      cancelled = true;
    }
  }

  private final NetworkLoop network;
  private final Thread owner = Thread.currentThread();
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  // Nano times may wrap, so they are compared by their difference.
  private final PriorityQueue<Timer> timers =
      new PriorityQueue<>((a, b) -> Long.compare(a.atNanos - b.atNanos, 0));
  private final LongSupplier nanoTime;
  private volatile @Nullable Throwable failure;
  private @Nullable GraceOverException interruption;

  /**
   * @param network made by this thread too
   */
  EventLoop(NetworkLoop network, LongSupplier nanoTime) {
    this.network = network;
    this.nanoTime = nanoTime;
  }

  @Override
  public void execute(Runnable task) {
    tasks.add(task);
    if (Thread.currentThread() != owner) {
      network.wake();
    }
  }

  /** Makes {@link #runUntil} throw; the first failure counts. */
  void fail(Throwable t) {
    synchronized (this) {
      if (failure == null) {
        failure = t;
      }
    }
    execute(() -> {});
  }

  /** Makes {@link #runUntil} throw once. On the loop's thread. */
  void interrupt(GraceOverException why) {
    interruption = why;
  }

  /**
   * Runs {@code task} and turns what it throws into the loop's failure. gRPC would swallow an
   * exception of a callback and cancel the call instead.
   */
  void guard(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      fail(e);
    }
  }

  long nanoTime() {
    return nanoTime.getAsLong();
  }

  Timer schedule(Duration delay, Runnable task) {
    Timer timer = new Timer(nanoTime() + delay.toNanos(), task);
    timers.add(timer);
    return timer;
  }

  /** Sends what was written, as every wait does first. */
  void flush() {
    network.flush();
  }

  /** Lets {@code duration} pass while everything else goes on. */
  void pause(Duration duration) {
    boolean[] over = {false};
    schedule(duration, () -> over[0] = true);
    runUntil(() -> over[0]);
  }

  /**
   * Handles events until {@code done}, which is asked before the first and after each.
   *
   * @throws RunException what {@link #fail} was given
   * @throws GraceOverException what {@link #interrupt} was given
   */
  void runUntil(BooleanSupplier done) {
    while (true) {
      Throwable failed = failure;
      if (failed != null) {
        throw asRunException(failed);
      }
      GraceOverException over = interruption;
      if (over != null) {
        interruption = null;
        throw over;
      }
      if (done.getAsBoolean()) {
        return;
      }
      network.flush();
      Timer due = timers.peek();
      if (due != null && (due.cancelled || due.atNanos - nanoTime() <= 0)) {
        timers.remove();
        if (!due.cancelled) {
          guard(due.task);
        }
        continue;
      }
      Runnable task = tasks.poll();
      if (task != null) {
        guard(task);
      } else {
        network.run(due == null ? Long.MAX_VALUE : Math.max(1, due.atNanos - nanoTime()));
      }
    }
  }

  private static RunException asRunException(Throwable failed) {
    if (failed instanceof RunException known) {
      return known;
    }
    return new RunException(ExitCode.INTERNAL, "the coordinator failed: " + failed, failed);
  }
}
