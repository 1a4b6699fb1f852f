package org.maskedkd.coordinator;

/**
 * What a teacher may take to answer: long for the first answer, then a multiple of what was
 * measured, twice as much after each deadline that passed. Event loop only.
 */
final class AnswerDeadline {
  private final EventLoop loop;
  private final Patience patience;

  /** As this process sees it: with the ways, and with what other runs have there. */
  private final TeacherPace waits = new TeacherPace();

  private int misses;
  private long progressNanos;
  private long forgivenNanos;
  private long lateNanos;

  AnswerDeadline(EventLoop loop, Patience patience) {
    this.loop = loop;
    this.patience = patience;
  }

  /** Deadlines that have passed since the last answer. */
  int misses() {
    return misses;
  }

  /** The teacher could begin with a micro-batch just now. */
  void restart() {
    progressNanos = loop.nanoTime();
    forgivenNanos = 0;
  }

  /** It has answered a micro-batch of so many samples, and goes on with the next. */
  void answered(int samples) {
    waits.answered(waitedNanos() / 1e9, samples);
    misses = 0;
    restart();
  }

  /** For how long it could have worked on what it has to answer next. */
  double workedSeconds() {
    return (loop.nanoTime() - progressNanos) / 1e9;
  }

  /** The same as far as it can be blamed for it. */
  long waitedNanos() {
    return loop.nanoTime() - progressNanos - forgivenNanos;
  }

  /** This process did not listen for so long. */
  void forgive(long nanos) {
    forgivenNanos += nanos;
    lateNanos += nanos;
  }

  /**
   * What a micro-batch of so many samples may take. It doubles with each miss, so that a teacher
   * that has become slow is waited for in the end.
   */
  long allowedNanos(int samples) {
    long first = patience.firstAnswer().toNanos();
    double measured = waits.secondsPerSample();
    if (Double.isNaN(measured)) {
      return first;
    }
    long usual =
        Math.max(
            patience.leastDeadline().toNanos(),
            Math.round(patience.deadlineFactor() * samples * measured * 1e9));
    return Math.max(usual, Math.round(Math.min(usual * Math.pow(2, misses), first)));
  }

  /** It has let the deadline pass, and may take as long again. */
  void missed(long allowedNanos) {
    lateNanos = loop.nanoTime() + allowedNanos;
    misses++;
  }

  /** Whether that time is over, too. */
  boolean over() {
    return loop.nanoTime() - lateNanos > 0;
  }
}
