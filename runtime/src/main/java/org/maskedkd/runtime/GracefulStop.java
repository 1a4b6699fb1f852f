package org.maskedkd.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * What SIGINT and SIGTERM do: the first asks for a clean stop, a second one ends the process at
 * once.
 *
 * <p>Shutdown hooks cannot do this: once one runs, the JVM takes no second signal. Thread-safe.
 */
public final class GracefulStop {
  private final IntConsumer exitAtOnce;
  private final List<Runnable> listeners = new ArrayList<>();
  private @Nullable ExitCode received;

  GracefulStop(IntConsumer exitAtOnce) {
    this.exitAtOnce = exitAtOnce;
  }

  /** Takes over both signals for the rest of the process's life. */
  public static GracefulStop install() {
    GracefulStop stop = new GracefulStop(Runtime.getRuntime()::halt);
    Signal.handle(new Signal("INT"), signal -> stop.receive(ExitCode.INTERRUPTED));
    Signal.handle(new Signal("TERM"), signal -> stop.receive(ExitCode.TERMINATED));
    return stop;
  }

  /**
   * Makes the process deaf to both signals. A terminal, a service manager or a batch system sends
   * them to the whole group, also to the stages that a command started, and those are to be stopped
   * by that command, in order, once its last checkpoint is written.
   */
  public static void leaveToParent() {
    Signal.handle(new Signal("INT"), SignalHandler.SIG_IGN);
    Signal.handle(new Signal("TERM"), SignalHandler.SIG_IGN);
  }

  void receive(ExitCode code) {
    List<Runnable> toRun;
    synchronized (this) {
      if (received != null) {
        exitAtOnce.accept(code.code());
        return;
      }
      received = code;
      toRun = List.copyOf(listeners);
    }
    toRun.forEach(Runnable::run);
  }

  /** What to exit with after a clean stop: 130 or 143, or 0 when no signal came. */
  public synchronized int signalExitCode() {
    return received == null ? ExitCode.DONE.code() : received.code();
  }

  /**
   * Runs {@code listener} once when the first signal comes, on the signal's thread; at once when it
   * has come.
   */
  public void onRequest(Runnable listener) {
    synchronized (this) {
      if (received == null) {
        listeners.add(listener);
        return;
      }
    }
    listener.run();
  }
}
