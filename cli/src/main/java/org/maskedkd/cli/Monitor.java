package org.maskedkd.cli;

import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.Readiness;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;

/** What a run's process shows of itself over HTTP, if it is to. */
final class Monitor implements Readiness, AutoCloseable {
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
