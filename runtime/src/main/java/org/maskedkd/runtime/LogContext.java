package org.maskedkd.runtime;

import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/**
 * The run and the step that log events belong to. A process that has one run at a time, a
 * coordinator or a student, says so for all its threads. A teacher serves several at once: there it
 * is said of one thread, for as long as that works for one of them, and goes before the other.
 */
public final class LogContext {
  private static final String RUN = "run";
  private static final String STEP = "step";

  private static volatile Place ofProcess = new Place(null, null);

  private LogContext() {}

  /**
   * Where an event belongs.
   *
   * @param run null where there is none
   * @param step null where there is none
   */
  record Place(@Nullable String run, @Nullable Long step) {}

  /** What is said of a thread until it is closed, by that thread. */
  public interface Scope extends AutoCloseable {
    @Override
    void close();
  }

  /** This process has {@code run} from now on, and no step of it yet; null for no run. */
  public static void run(@Nullable String run) {
    ofProcess = new Place(run, null);
  }

  /** This process's run is at {@code step}. */
  public static void step(long step) {
    ofProcess = new Place(ofProcess.run, step);
  }

  /**
   * The calling thread works for {@code run}, of which no step is known yet, until the scope is
   * closed; then for what it did before. A name that a peer gave may be anything.
   */
  public static Scope of(String run) {
    return of(run, null);
  }

  /** The same, and for this step of it; for none, when nothing is known of either yet. */
  public static Scope of(String run, long step) {
    if (run.isEmpty()) {
      return () -> {};
    }
    return of(run, Long.toString(step));
  }

  private static Scope of(String run, @Nullable String step) {
    @Nullable String runBefore = MDC.get(RUN);
    @Nullable String stepBefore = MDC.get(STEP);
    put(RUN, Quote.line(run));
    put(STEP, step);
    return () -> {
      put(RUN, runBefore);
      put(STEP, stepBefore);
    };
  }

  private static void put(String key, @Nullable String value) {
    if (value == null) {
      MDC.remove(key);
    } else {
      MDC.put(key, value);
    }
  }

  /** Where an event of the calling thread belongs. */
  static Place current() {
    @Nullable String run = MDC.get(RUN);
    if (run == null) {
      return ofProcess;
    }
    @Nullable String step = MDC.get(STEP);
    return new Place(run, step == null ? null : Long.valueOf(step));
  }
}
