package org.maskedkd.cli;

import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.Readiness;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;

/** What a run's process shows of itself over HTTP, if it is to. */
final class Monitor implements Readiness, AutoCloseable {
  private final @Nullable Metrics metrics;
  private final @Nullable Management management;

  private Monitor(@Nullable Metrics metrics, @Nullable Management management) {
    this.metrics = metrics;
    this.management = management;
  }

  /**
   * Listens.
   *
   * @param hostPort where; null for nowhere
   * @throws org.maskedkd.runtime.RunException (usage) when the port is in use
   */
  static Monitor open(@Nullable String hostPort) {
    if (hostPort == null) {
      return new Monitor(/* metrics= */ null, /* management= */ null);
    }
    Metrics metrics = new Metrics("coordinator");
    Management management = new Management(hostPort, metrics.registry());
    System.out.println("management on port " + management.port());
    return new Monitor(metrics, management);
  }

  @Override
  public void set(boolean ready, String reason) {
    if (management != null) {
      management.ready(ready, reason);
    }
  }

  @Override
  public void close() {
    if (management != null && metrics != null) {
      management.close();
      metrics.close();
    }
  }
}
