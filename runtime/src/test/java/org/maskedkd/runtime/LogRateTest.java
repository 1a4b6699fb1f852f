package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LogRateTest {
  private final LoggerContext context = new LoggerContext();
  private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
  private final Logger log = context.getLogger("stage");
  private long now = Long.MAX_VALUE - 5;

  @BeforeEach
  void attach() {
    lines.setContext(context);
    lines.start();
    log.addAppender(lines);
    log.setLevel(Level.INFO);
    context.addTurboFilter(new LogRate(() -> now));
  }

  private List<String> messages() {
    return lines.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
  }

  private void refuse(int count) {
    for (int i = 0; i < count; i++) {
      log.warn("refused {}: no", i);
    }
  }

  @Test
  void log_sameKindTooOften_isCutOffSayingSoOnce() {
    refuse(10 * LogRate.MOST);

    assertThat(messages())
        .hasSize(LogRate.MOST + 1)
        .startsWith("refused 0: no", "refused 1: no")
        .endsWith("further lines of the kind 'refused {}: no' are left out for up to a minute");
  }

  @Test
  void log_nextMinute_isLoggedAgain() {
    refuse(LogRate.MOST + 1);
    now += Duration.ofMinutes(1).toNanos() - 1;
    refuse(1);
    assertThat(messages()).hasSize(LogRate.MOST + 1);

    now += 1;
    refuse(1);

    assertThat(messages()).hasSize(LogRate.MOST + 2).endsWith("refused 0: no");
  }

  @Test
  void log_otherKindsAndLevelsThatAreOff_doNotCount() {
    for (int i = 0; i < 2 * LogRate.MOST; i++) {
      log.debug("refused {}: no", i);
    }
    refuse(LogRate.MOST);
    log.info("ready");

    assertThat(messages()).hasSize(LogRate.MOST + 1).endsWith("ready");
  }
}
