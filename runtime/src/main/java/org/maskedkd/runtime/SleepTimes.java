package org.maskedkd.runtime;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How long the tasks of a stage take that sleeps instead of computing, so that a schedule can be
 * measured apart from the machine: by operation, in seconds per image, and a fixed {@code overhead}
 * per task.
 *
 * @param perImage seconds per image, by operation; {@code optimizer} is per step
 * @param overhead seconds per micro-batch's task
 */
public record SleepTimes(Map<String, Double> perImage, double overhead) {
  private static final String OVERHEAD = "overhead";

  /** The system may wake a thread late by about this much; what is left is spun away. */
  private static final long SPIN_NANOS = TimeUnit.MICROSECONDS.toNanos(120);

  public SleepTimes {
    perImage = Map.copyOf(perImage);
  }

  /**
   * Reads {@code forward=0.0039,backward=0.0078,overhead=0.0005}. What is not named takes no time.
   *
   * @param operations those that this stage has
   * @throws IllegalArgumentException naming what is no such operation or no time
   */
  public static SleepTimes parse(String text, Set<String> operations) {
    Map<String, Double> times = new LinkedHashMap<>();
    for (String part : text.split(",", -1)) {
      int equals = part.indexOf('=');
      String name = equals < 0 ? part.strip() : part.substring(0, equals).strip();
      if (equals < 0 || !(operations.contains(name) || name.equals(OVERHEAD))) {
        throw new IllegalArgumentException(
            "sleep times are written OPERATION=SECONDS with commas between, the operations here are %s and %s; found '%s'"
                .formatted(String.join(", ", operations), OVERHEAD, part));
      }
      times.put(name, seconds(name, part.substring(equals + 1).strip()));
    }
    double overhead = times.getOrDefault(OVERHEAD, 0.0);
    times.remove(OVERHEAD);
    return new SleepTimes(times, overhead);
  }

  private static double seconds(String name, String text) {
    double seconds;
    try {
      seconds = Double.parseDouble(text);
    } catch (NumberFormatException e) {
      seconds = Double.NaN;
    }
    if (!(seconds >= 0 && seconds < 3600)) {
      throw new IllegalArgumentException(
          "%s must be seconds from 0 to 3600, found '%s'".formatted(name, text));
    }
    return seconds;
  }

  /** When a task on {@code images} images ends that starts now, on {@link System#nanoTime}. */
  public long deadline(String operation, int images) {
    return System.nanoTime()
        + Math.round(1e9 * (overhead + images * perImage.getOrDefault(operation, 0.0)));
  }

  /** When an operation ends that starts now and belongs to a step, not to images. */
  public long deadline(String operation) {
    return System.nanoTime() + Math.round(1e9 * perImage.getOrDefault(operation, 0.0));
  }

  /**
   * Sleeps until {@code deadline} on {@link System#nanoTime}, within some microseconds on an idle
   * machine; not at all if it has passed. An interrupt ends it early and stays set.
   */
  public static void sleepUntil(long deadline) {
    while (!Thread.currentThread().isInterrupted()) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return;
      }
      if (left > SPIN_NANOS) {
        LockSupport.parkNanos(left - SPIN_NANOS);
      } else {
        Thread.onSpinWait();
      }
    }
  }
}
