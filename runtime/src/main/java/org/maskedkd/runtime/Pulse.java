package org.maskedkd.runtime;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The beat at which calls that are open let themselves be heard. HTTP/2's pings tell whether the
 * other process is there, but not whether a call is still the same at both ends: a bit that turns
 * over in a frame's header can lose a message, a call or the leave to send more, and if nothing
 * follows on that call, both ends wait. So each end of a call sends an empty message of its own
 * every {@value #SECONDS} s, sealed and numbered like all others; whoever is missing something
 * learns of it from the next number, and whoever hears nothing at all gives the call up.
 */
final class Pulse {
  static final int SECONDS = 10;

  private static final Logger log = LoggerFactory.getLogger(Pulse.class);

  /** One end of a call. */
  interface Call {
    /** To be called on any thread. */
    void beat();
  }

  private final Set<Call> calls = ConcurrentHashMap.newKeySet();

  private static final class OfProcess {
    static final Pulse INSTANCE = new Pulse();

    static {
      ScheduledExecutorService timer =
          Executors.newSingleThreadScheduledExecutor(
              task -> {
                Thread thread = new Thread(task, "maskedkd-pulse");
                thread.setDaemon(true);
                return thread;
              });
      // Not at a fixed rate: a process that was stopped has not been deaf for so many beats.
      var unused = timer.scheduleWithFixedDelay(INSTANCE::beat, SECONDS, SECONDS, TimeUnit.SECONDS);
    }
  }

  /** The one of this process, which beats by itself. */
  static Pulse ofProcess() {
    return OfProcess.INSTANCE;
  }

  void add(Call call) {
    calls.add(call);
  }

  void remove(Call call) {
    calls.remove(call);
  }

  /** One beat of all calls. */
  void beat() {
    for (Call call : calls) {
      try {
        call.beat();
      } catch (RuntimeException | Error e) {
        // The others are to be heard all the same.
        log.error("a call's pulse failed", e);
      }
    }
  }

  /** For how many beats one end of a call has heard nothing although it listened. Thread-safe. */
  static final class Hearing {
    private final int most;
    private long asked;
    private int silent;

    /**
     * @param most beats of silence
     */
    Hearing(int most) {
      this.most = most;
    }

    /** It is ready for so many more messages. */
    synchronized void asked(int count) {
      asked += count;
    }

    /** A message has come, of whatever kind. */
    synchronized void heard() {
      asked--;
      silent = 0;
    }

    /** One beat more; whether there was silence for too long. */
    synchronized boolean beat() {
      silent = asked > 0 ? silent + 1 : 0;
      return silent > most;
    }

    /** What to say then. */
    String complaint() {
      return "nothing was heard of this call for " + most * SECONDS + " s";
    }
  }
}
