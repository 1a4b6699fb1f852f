package org.maskedkd.data;

import java.util.function.BooleanSupplier;

/**
 * When threads that make batches ahead may work. Where the one who takes the batches computes on
 * the only core that there is, they would slow whatever it computes: a step's first forward, for
 * which all teachers wait. There they work while it waits, and stop within an image once it goes
 * on; where there are more cores, always.
 *
 * <p>Not done by priorities: a thread that hardly ever runs holds up every pause of the Java
 * machine, and with it the threads that send.
 *
 * <p>The taker says when it waits; any thread may ask.
 */
public final class Turns {
  private final boolean alternate;
  private boolean takerWorks;

  /**
   * @param alternate whether those who work ahead have to wait for the taker to wait
   */
  Turns(boolean alternate) {
    this.alternate = alternate;
  }

  /** For a taker that computes in this process. */
  public static Turns ofThisProcess() {
    return new Turns(Runtime.getRuntime().availableProcessors() == 1);
  }

  /** For a taker that may be slowed. */
  public static Turns always() {
    return new Turns(/* alternate= */ false);
  }

  /** What may block. */
  @FunctionalInterface
  public interface Wait<T, E extends Exception> {
    T get() throws InterruptedException, E;
  }

  /** Lets the taker wait for something, during which the others work. */
  public <T, E extends Exception> T during(Wait<T, E> wait) throws InterruptedException, E {
    takerWorks(false);
    try {
      return wait.get();
    } finally {
      takerWorks(true);
    }
  }

  synchronized void takerWorks(boolean works) {
    takerWorks = works;
    notifyAll();
  }

  /**
   * Returns when it is the others' turn, or the work is no longer wanted.
   *
   * @param dropped asked before each wait; {@link #recheck} ends one
   */
  synchronized void await(BooleanSupplier dropped) throws InterruptedException {
    while (alternate && takerWorks && !dropped.getAsBoolean()) {
      wait();
    }
  }

  /** Tells those who wait that work was dropped. */
  synchronized void recheck() {
    notifyAll();
  }
}
