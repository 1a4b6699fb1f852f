package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.maskedkd.runtime.Management;
import org.maskedkd.runtime.Metrics;
import org.maskedkd.runtime.Role;

class ProbeCommandTest {
  private final Metrics metrics = new Metrics(Role.COORDINATOR);
  private final Management management = new Management("127.0.0.1:0", metrics.registry());
  private final String url = "http://127.0.0.1:" + management.port();

  @AfterEach
  void close() {
    management.close();
    metrics.close();
  }

  @Test
  void probe_allAreReady_endsWith0() {
    management.ready(true, "serving");

    Run run = Run.of("probe", url + "/readyz", url + "/livez");

    assertThat(run.exit()).isZero();
    assertThat(run.out()).contains("/readyz: 200 serving").contains("/livez: 200 alive");
  }

  @Test
  void probe_oneIsNotReady_endsWith69AndSaysWhy() {
    Run run = Run.of("probe", url + "/readyz", url + "/livez");

    assertThat(run.exit()).isEqualTo(69);
    assertThat(run.out()).contains("/readyz: 503 starting");
    assertThat(run.err()).contains("1 of 2 did not say yes");
  }

  @Test
  void probe_nobodyIsThere_endsWith69() {
    management.close();

    Run run = Run.of("probe", url + "/readyz");

    assertThat(run.exit()).isEqualTo(69);
    assertThat(run.out()).contains("ConnectException");
  }

  @Test
  void probe_noUrl_endsWith64AndNamesOne() {
    Run run = Run.of("probe", "127.0.0.1");

    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("is no URL such as http://127.0.0.1:9402/readyz");
  }
}
