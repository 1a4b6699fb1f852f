package org.maskedkd.data;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.maskedkd.tensor.Torch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes batches ahead of time on threads of its own. What a batch holds does not depend on how many
 * there are.
 *
 * <p>One consumer calls {@link #take}; {@link #close} may come from any thread. Each thread resizes
 * with one libtorch thread; as libtorch hands that number to threads that use it for the first time
 * later, others set their own with {@link Torch#useThreads}.
 */
public final class Prefetcher implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Prefetcher.class);
  private static final int CHUNKS_PER_WORKER = 4;
  private static final long CLOSE_SECONDS = 30;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final Batches batches;
  private final int workers;
  private final int depth;
  private final Turns turns;
  private final ExecutorService pool;
  private final LongAdder cpuNanos = new LongAdder();
  private final NavigableMap<Long, Job> ahead = new TreeMap<>();
  private @Nullable Job taken;
  private boolean closed;

  /** A batch under way. Once dropped, what is left of it is not done. */
  private static final class Job {
    private final CompletableFuture<Batch> result = new CompletableFuture<>();

    private boolean isDropped() {
      return result.isDone();
    }
  }

  /**
   * @param batches the source behind it must stay open until this is closed
   * @param workers threads, at least 1
   * @param depth batches made ahead of the one taken, at least 0; memory holds one more
   * @param turns when they may be made; waiting for a batch counts as such a time
   */
  public Prefetcher(Batches batches, int workers, int depth, Turns turns) {
    if (workers < 1 || depth < 0) {
      throw new IllegalArgumentException(
          "%d workers and %d batches ahead; at least 1 and 0".formatted(workers, depth));
    }
    this.batches = batches;
    this.workers = workers;
    this.depth = depth;
    this.turns = turns;
    Torch.manager(); // Here a missing library is an error; on a pool's thread it would be a hang.
    AtomicInteger number = new AtomicInteger();
    this.pool =
        Executors.newFixedThreadPool(
            workers,
            work -> {
              Thread thread = new Thread(() -> runAlone(work), "data-" + number.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
  }

  /**
   * Gives the batch of a step, waiting for it if need be, and sees to the next ones. Any step may
   * be asked for; after a jump what was made ahead is dropped.
   *
   * @throws DataException when an image of this batch cannot be decoded; the next call tries anew
   * @throws IllegalStateException when this is or gets closed
   */
  public Batch take(long step) throws InterruptedException {
    Job job = jobFor(batches.checkStep(step));
    try {
      return job.result.isDone() ? job.result.get() : turns.during(job.result::get);
    } catch (CancellationException e) {
      throw new IllegalStateException("closed while step " + step + " was awaited", e);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      if (cause instanceof DataException) {
        throw new DataException("step " + step + ": " + cause.getMessage(), cause);
      }
      throw new IllegalStateException("step " + step + " could not be prepared: " + cause, cause);
    }
  }

  /** CPU time that this object's threads have spent on finished pieces of batches. */
  public long cpuNanos() {
    return cpuNanos.sum();
  }

  private static void runAlone(Runnable work) {
    Torch.useThreads(1);
    work.run();
  }

  private synchronized Job jobFor(long step) {
    if (closed) {
      throw new IllegalStateException("step " + step + " is asked of a closed prefetcher");
    }
    Job job = ahead.remove(step);
    if (job == null) {
      dropAll();
      job = start(step);
    } else {
      NavigableMap<Long, Job> passed = ahead.headMap(step, false);
      passed.values().forEach(old -> old.result.cancel(false));
      passed.clear();
    }
    long last = step > batches.steps() - depth ? batches.steps() : step + depth;
    for (long next = step + 1; next <= last; next++) {
      ahead.computeIfAbsent(next, this::start);
    }
    taken = job;
    return job;
  }

  private Job start(long step) {
    Job job = new Job();
    CompletableFuture.supplyAsync(() -> plan(job, step), this::execute)
        .thenCompose(
            batch ->
                spread(job, batch.count(), i -> batches.fill(batch, i))
                    .thenCompose(
                        filled -> spread(job, Batches.pairs(batch), i -> batches.mix(batch, i)))
                    .thenApply(mixed -> batch))
        .whenComplete(
            (batch, failure) -> {
              if (failure == null) {
                job.result.complete(batch);
              } else {
                job.result.completeExceptionally(unwrapped(failure));
              }
            });
    return job;
  }

  private void execute(Runnable piece) {
    pool.execute(
        () -> {
          long began = THREADS.getCurrentThreadCpuTime();
          piece.run();
          cpuNanos.add(THREADS.getCurrentThreadCpuTime() - began);
        });
  }

  private Batch plan(Job job, long step) {
    if (job.isDropped()) {
      throw new CancellationException("step " + step + " is no longer wanted");
    }
    return batches.plan(step);
  }

  private CompletableFuture<Void> spread(Job job, int count, IntConsumer work) {
    int chunk = Math.max(1, count / (workers * CHUNKS_PER_WORKER));
    List<CompletableFuture<Void>> parts = new ArrayList<>();
    for (int from = 0; from < count; from += chunk) {
      int first = from;
      int end = Math.min(count, from + chunk);
      parts.add(
          CompletableFuture.runAsync(
              () -> {
                for (int i = first; i < end && isTurnOf(job); i++) {
                  work.accept(i);
                }
              },
              this::execute));
    }
    return CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new));
  }

  /** Waits for it; false when the job was dropped. */
  private boolean isTurnOf(Job job) {
    try {
      turns.await(job::isDropped);
      return !job.isDropped();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted while it was another's turn");
    }
  }

  private static Throwable unwrapped(Throwable failure) {
    Throwable cause = failure.getCause();
    return failure instanceof CompletionException && cause != null ? cause : failure;
  }

  private void dropAll() {
    ahead.values().forEach(job -> job.result.cancel(false));
    ahead.clear();
  }

  /**
   * Drops what is under way and waits for the images being decoded; at most half a minute, after
   * which it says so.
   */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      dropAll();
      if (taken != null) {
        taken.result.cancel(false);
      }
    }
    turns.recheck();
    // Not shutdownNow: an interrupt in the middle of a read would close the archive for everybody.
    pool.shutdown();
    try {
      if (!pool.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        log.warn(
            "data threads are still decoding after {} s; they are left to end by themselves",
            CLOSE_SECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
