package org.maskedkd.runtime;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * How far the monotonic clock of another process is ahead of ours, estimated by round trips as NTP
 * does: the remote clock was read somewhere between sending and receiving, so its middle is wrong
 * by at most half of the round trip. Of the last {@value #KEPT} round trips the shortest counts,
 * which also follows clocks that drift apart. Not thread-safe.
 */
public final class ClockOffset {
  private static final int KEPT = 64;

  private record RoundTrip(long offset, long error) {}

  private final Deque<RoundTrip> last = new ArrayDeque<>();

  /**
   * Takes a round trip, all in nanoseconds.
   *
   * @param sent our clock before
   * @param remote what the other clock said
   * @param received our clock after
   * @throws IllegalArgumentException if it was received before it was sent
   */
  public void sample(long sent, long remote, long received) {
    long trip = received - sent;
    if (trip < 0) {
      throw new IllegalArgumentException(
          "a round trip was sent at %d and received before, at %d".formatted(sent, received));
    }
    last.addLast(new RoundTrip(remote - (sent + trip / 2), (trip + 1) / 2));
    if (last.size() > KEPT) {
      last.removeFirst();
    }
  }

  /** Whether there was a round trip. */
  public boolean known() {
    return !last.isEmpty();
  }

  /**
   * Our clock at the moment when the other one says {@code remote}; the same if nothing is known.
   */
  public long toLocal(long remote) {
    return known() ? remote - best().offset : remote;
  }

  /** What {@link #toLocal} may be wrong by, in seconds; infinite if nothing is known. */
  public double errorSeconds() {
    return known() ? best().error / 1e9 : Double.POSITIVE_INFINITY;
  }

  private RoundTrip best() {
    RoundTrip best = last.getFirst();
    for (RoundTrip trip : last) {
      best = trip.error < best.error ? trip : best;
    }
    return best;
  }
}
