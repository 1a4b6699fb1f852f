package org.maskedkd.schedule;

/**
 * Decides which teacher gets the next micro-batch of their queue, in a run as in a simulation. It
 * goes to the teacher that is expected to finish it first, whether or not that one has room; of
 * several the least loaded, then the first. While that teacher has no credit left the micro-batch
 * waits, and all behind it: a slow teacher with room would only keep it for longer.
 *
 * <p>Except for a teacher with nothing to do. It takes the micro-batch if it is through with it
 * before the others are through with three quarters of the queue. Not of all of it: backwards go in
 * index order, so that the student has to wait for the slowest with all that it could do behind it.
 */
public final class Dispatcher {

  /** One micro-batch runs at a teacher and one waits there. */
  public static final int CREDIT = 2;

  /** Nobody gets the micro-batch before the next answer. */
  public static final int HOLD = -1;

  /** Times that differ by less, relatively, are the same but for rounding. */
  private static final double SAME = 1e-12;

  private final double[] slowness;
  private final double[] free;
  private final int[] load;
  private final double[] planned;

  /**
   * Idle teachers at time 0.
   *
   * @param slowness per teacher the time it takes for a unit of work
   */
  public Dispatcher(double[] slowness) {
    this.slowness = slowness.clone();
    this.free = new double[slowness.length];
    this.load = new int[slowness.length];
    this.planned = new double[slowness.length];
  }

  /** Says that a teacher has {@code load} micro-batches and will be done with them then. */
  public void occupied(int teacher, double until, int load) {
    free[teacher] = until;
    this.load[teacher] = load;
  }

  /** A teacher, or {@link #HOLD}, for the first of a queue; there must be a teacher. */
  public int choose(Queue queue) {
    int best = firstToFinish(free, queue.arrival(0), queue.work(0), HOLD);
    if (load[best] < CREDIT) {
      return best;
    }
    int idle = fastestIdle();
    if (idle == HOLD) {
      return HOLD;
    }
    double alone = end(free, idle, queue.arrival(0), queue.work(0));
    return alone <= withoutIt(queue, idle) ? idle : HOLD;
  }

  /** Gives a teacher a micro-batch; returns when it begins. */
  double assign(int teacher, double arrival, double work) {
    double start = Math.max(free[teacher], arrival);
    free[teacher] = start + work * slowness[teacher];
    load[teacher]++;
    return start;
  }

  /** When a teacher is done with all it has. */
  double end(int teacher) {
    return free[teacher];
  }

  /** Gives back the credit of one micro-batch. */
  void answered(int teacher) {
    load[teacher]--;
  }

  private double end(double[] from, int teacher, double arrival, double work) {
    return Math.max(from[teacher], arrival) + work * slowness[teacher];
  }

  private int firstToFinish(double[] from, double arrival, double work, int except) {
    int best = HOLD;
    double earliest = Double.POSITIVE_INFINITY;
    for (int k = 0; k < from.length; k++) {
      if (k == except) {
        continue;
      }
      double end = end(from, k, arrival, work);
      boolean same = Math.abs(end - earliest) <= SAME * end;
      if (best == HOLD || (same ? load[k] < load[best] : end < earliest)) {
        best = k;
        earliest = end;
      }
    }
    return best;
  }

  private int fastestIdle() {
    int fastest = HOLD;
    for (int k = 0; k < load.length; k++) {
      if (load[k] == 0 && (fastest == HOLD || slowness[k] < slowness[fastest])) {
        fastest = k;
      }
    }
    return fastest;
  }

  /** When the other teachers would be through with three quarters of the queue. */
  private double withoutIt(Queue queue, int idle) {
    System.arraycopy(free, 0, planned, 0, free.length);
    double last = 0;
    int most = (3 * queue.size() + 3) / 4;
    for (int i = 0; i < most; i++) {
      double arrival = queue.arrival(i);
      double work = queue.work(i);
      int next = firstToFinish(planned, arrival, work, idle);
      planned[next] = end(planned, next, arrival, work);
      last = Math.max(last, planned[next]);
    }
    return last;
  }

  /** The micro-batches that wait, in order; at least one. */
  public interface Queue {
    int size();

    /** When a teacher that gets it now could begin it. */
    double arrival(int place);

    /** What a teacher's slowness is multiplied by. */
    double work(int place);
  }
}
