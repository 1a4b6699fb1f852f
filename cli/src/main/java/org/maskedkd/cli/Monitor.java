package org.maskedkd.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.Readiness;
import org.maskedkd.runtime.GracefulStop;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a run's process shows of itself over HTTP, if it is to. */
final class Monitor implements Readiness, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Monitor.class);

  private final Metrics metrics = new Metrics(Role.COORDINATOR);
  private final @Nullable Management management;

  /**
   * Listens.
   *
   * @param hostPort where; null for nowhere
   * @throws org.maskedkd.runtime.RunException (usage) when the port is in use
   */
  Monitor(@Nullable String hostPort) {
    management = hostPort == null ? null : new Management(hostPort, metrics.registry());
  }

  /** Of the run that is led. */
  Metrics metrics() {
    return metrics;
  }

  /**
   * Waits so that what the run showed last can still be fetched: a scraper comes every now and
   * then, and of a run that has ended it would miss the end.
   *
   * @param stop ends the wait at once when a signal comes, or has come
   */
  void linger(Duration time, GracefulStop stop) throws InterruptedException {
    if (management == null || time.isZero()) {
      return;
    }
    CountDownLatch over = new CountDownLatch(1);
    stop.onRequest(over::countDown);
    if (over.getCount() > 0) {
      log.info("the run has ended; its metrics can be read for {} s more", time.toSeconds());
      over.await(time.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void set(boolean ready, String reason) {
    if (management != null) {
      management.ready(ready, reason);
    }
  }

  @Override
  public void close() {
    if (management != null) {
      management.close();
    }
    metrics.close();
  }
}
