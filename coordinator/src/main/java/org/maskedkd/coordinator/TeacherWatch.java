package org.maskedkd.coordinator;

import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Looks after teachers that say nothing, several times a second: whether a deadline is over, and
 * whether an idle teacher should have what another is slow with, too. Event loop only.
 */
final class TeacherWatch implements AutoCloseable {

  private static final Duration EVERY = Duration.ofMillis(250);

  private final EventLoop loop;
  private final double hedgeFraction;
  private final TeacherPool pool;
  private long lastNanos;
  private boolean closed;

  /**
   * @param hedgeFraction of its deadline that a micro-batch must have taken; 0 for never
   */
  TeacherWatch(EventLoop loop, double hedgeFraction, TeacherPool pool) {
    this.loop = loop;
    this.hedgeFraction = hedgeFraction;
    this.pool = pool;
  }

  void begin() {
    lastNanos = loop.nanoTime();
    loop.schedule(EVERY, this::look);
  }

  private void look() {
    if (closed) {
      return;
    }
    // A process that was stopped, or busy, has not read what came meanwhile.
    long missed = loop.nanoTime() - lastNanos - EVERY.toNanos();
    lastNanos = loop.nanoTime();
    List<TeacherLink> teachers = List.copyOf(pool.teachers());
    if (missed > EVERY.toNanos()) {
      teachers.forEach(link -> link.deadline().forgive(missed));
    }
    teachers.forEach(TeacherLink::checkDeadline);
    // What is held back for a teacher that has become slow since then need not be for ever.
    pool.dispatch();
    if (hedgeFraction > 0 && pool.waiting() == 0) {
      teachers.forEach(this::hedge);
    }
    loop.schedule(EVERY, this::look);
  }

  /** Gives what {@code slow} is late with to those that have nothing to do, each to one. */
  private void hedge(TeacherLink slow) {
    if (!slow.works() || slow.load() == 0) {
      return;
    }
    for (MaskedWork work : slow.work()) {
      TeacherLink other = idle(slow);
      if (other == null) {
        return;
      }
      // One that has never answered is measured by what the other one would be allowed.
      int running = slow.work().get(0).samples();
      long allowed =
          Math.min(slow.deadline().allowedNanos(running), other.deadline().allowedNanos(running));
      if (slow.deadline().waitedNanos() <= hedgeFraction * allowed) {
        return;
      }
      if (pool.mayDouble(work)) {
        pool.doubleTo(other, work);
      }
    }
  }

  private @Nullable TeacherLink idle(TeacherLink slow) {
    return pool.teachers().stream()
        .filter(l -> l != slow && l.state() == TeacherLink.State.READY && l.load() == 0)
        .min(Comparator.comparingDouble(TeacherLink::secondsPerSample))
        .orElse(null);
  }

  @Override
  public void close() {
    closed = true;
  }
}
