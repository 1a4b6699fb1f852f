package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.LoggerFactory;

/** What everything logs at warning level or our own code at any, from its creation until closed. */
final class LogLines extends AppenderBase<ILoggingEvent> implements AutoCloseable {
  private final BlockingQueue<ILoggingEvent> events = new LinkedBlockingQueue<>();
  private final Logger root = (Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME);

  LogLines() {
    setContext(root.getLoggerContext());
    start();
    root.addAppender(this);
  }

  @Override
  protected void append(ILoggingEvent event) {
    events.add(event);
  }

  /** The next line, waited for, which must come without a stack trace. */
  String next() {
    try {
      ILoggingEvent event = events.poll(1, TimeUnit.MINUTES);
      if (event == null) {
        throw new AssertionError("nothing was logged for a minute");
      }
      assertThat(event.getThrowableProxy()).as("stack trace of %s", event).isNull();
      return event.getFormattedMessage();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Waits for a line that has {@code text} in it. */
  String await(String text) {
    String line = next();
    while (!line.contains(text)) {
      line = next();
    }
    return line;
  }

  void assertNone() {
    assertThat(events).isEmpty();
  }

  @Override
  public void close() {
    root.detachAppender(this);
    stop();
  }
}
