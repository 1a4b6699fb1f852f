package org.maskedkd.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;

/**
 * Bounds how much a log can be made to grow: of lines that differ only in what is filled in, at
 * most {@value #MOST} a minute. Much of what stages log is about clients, which may do the same
 * thing over and over, by mistake or not. Thread-safe.
 */
final class LogRate extends TurboFilter {
  static final int MOST = 100;

  private static final long MINUTE_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int KINDS = 500;

  private final LongSupplier nanoTime;

  private final Map<String, Minute> minutes =
      new LinkedHashMap<>(16, 0.75f, /* accessOrder= */ true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Minute> eldest) {
          return size() > KINDS;
        }
      };

  private static final class Minute {
    final long began;
    int lines;

    Minute(long began) {
      this.began = began;
    }
  }

  LogRate(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    setName("rate");
  }

  @Override
  public FilterReply decide(
      @Nullable Marker marker,
      Logger logger,
      Level level,
      @Nullable String format,
      Object @Nullable [] values,
      @Nullable Throwable t) {
    if (format == null || !level.isGreaterOrEqual(logger.getEffectiveLevel())) {
      return FilterReply.NEUTRAL;
    }
    int lines = count(format);
    if (lines == MOST + 1) {
      logger
          .atLevel(org.slf4j.event.Level.valueOf(level.levelStr))
          .log("further lines of the kind '{}' are left out for up to a minute", format);
    }
    return lines > MOST ? FilterReply.DENY : FilterReply.NEUTRAL;
  }

  private synchronized int count(String format) {
    long now = nanoTime.getAsLong();
    Minute minute = minutes.get(format);
    if (minute == null || now - minute.began >= MINUTE_NANOS) {
      minute = new Minute(now);
      minutes.put(format, minute);
    }
    return ++minute.lines;
  }
}
