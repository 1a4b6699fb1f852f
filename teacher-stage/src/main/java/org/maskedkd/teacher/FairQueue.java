package org.maskedkd.teacher;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.IntConsumer;

/**
 * What several runs want of one compute thread. Each run has a lane, and lanes with work take
 * turns, a task each: who sends more waits longer, and nobody else does. Thread-safe.
 */
final class FairQueue {

  /** A run has two with a teacher at once, or three when another teacher is slow. */
  static final int MOST_TASKS = 4;

  private final Executor compute;
  private final long mostBytes;
  private final ByteBudget budget;
  private final IntConsumer size;
  private final Queue<Lane> turns = new ArrayDeque<>();
  private int allTasks;

  /**
   * @param compute runs one task after another
   * @param mostBytes of a lane's tasks together, from which on no more should be read for it
   * @param budget gets a task's bytes back when it is done or forgotten
   * @param size is told how many tasks there are, running ones included, whenever that changes
   */
  FairQueue(Executor compute, long mostBytes, ByteBudget budget, IntConsumer size) {
    this.size = size;
    this.budget = budget;
    this.compute = compute;
    this.mostBytes = mostBytes;
  }

  private record Task(long bytes, Runnable work) {}

  /** One run's. */
  final class Lane {
    private final Runnable resume;
    private final Queue<Task> waiting = new ArrayDeque<>();
    private int tasks;
    private long bytes;
    private boolean paused;
    private boolean dropped;

    private Lane(Runnable resume) {
      this.resume = resume;
    }

    /**
     * To be run in its turn, after all that was added to this lane before.
     *
     * @throws RejectedExecutionException when the compute thread takes no more
     */
    void add(long taskBytes, Runnable work) {
      synchronized (FairQueue.this) {
        if (dropped) {
          budget.giveBack(taskBytes);
          return;
        }
        if (waiting.isEmpty()) {
          turns.add(this);
        }
        waiting.add(new Task(taskBytes, work));
        tasks++;
        changed(1);
        bytes += taskBytes;
      }
      compute.execute(FairQueue.this::runNext);
    }

    /** Whether to read on. If not, {@code resume} is called once it is time to. */
    boolean hasRoom() {
      synchronized (FairQueue.this) {
        paused = full();
        return !paused;
      }
    }

    private boolean full() {
      return tasks >= MOST_TASKS || bytes >= mostBytes;
    }

    /** Forgets what waits, and whatever comes: nobody wants the answers any more. */
    void drop() {
      synchronized (FairQueue.this) {
        dropped = true;
        waiting.forEach(task -> budget.giveBack(task.bytes));
        changed(-waiting.size());
        waiting.clear();
        turns.remove(this);
      }
    }

    private void done(Task task) {
      budget.giveBack(task.bytes);
      boolean goOn;
      synchronized (FairQueue.this) {
        tasks--;
        changed(-1);
        bytes -= task.bytes;
        goOn = paused && !full() && !dropped;
        paused = paused && !goOn;
      }
      if (goOn) {
        resume.run();
      }
    }
  }

  /**
   * A lane of its own for a run.
   *
   * @param resume called, on the compute thread, when there is room again after {@link
   *     Lane#hasRoom} said there was none
   */
  Lane lane(Runnable resume) {
    return new Lane(resume);
  }

  private void changed(int tasks) {
    allTasks += tasks;
    size.accept(allTasks);
  }

  private void runNext() {
    Lane lane;
    Task task;
    synchronized (this) {
      lane = turns.poll();
      if (lane == null) {
        // It was dropped.
        return;
      }
      task = lane.waiting.remove();
      if (!lane.waiting.isEmpty()) {
        turns.add(lane);
      }
    }
    try {
      task.work.run();
    } finally {
      lane.done(task);
    }
  }
}
