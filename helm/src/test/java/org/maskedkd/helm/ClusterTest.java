package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.Release;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/**
 * A real API server takes the chart, changes it and lets it go. {@code MASKEDKD_KUBECONFIG} names
 * the file of a cluster on which the namespace {@code maskedkd-chart-test} may be made; the run
 * itself need not get on there.
 */
@EnabledIfEnvironmentVariable(named = "MASKEDKD_KUBECONFIG", matches = ".+")
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class ClusterTest {
  private static final String NAMESPACE = "maskedkd-chart-test";
  private static final String NAME = "chart-test";
  private static final Path PRESET = Chart.preset("cpu-kind");

  private final Path kubeconfig = Path.of(System.getenv("MASKEDKD_KUBECONFIG"));

  private List<Release> releases() {
    return Helm.list().withKubeConfig(kubeconfig).withNamespace(NAMESPACE).call();
  }

  @Test
  void installUpgradeUninstall_aCluster_takesEach() {
    Helm helm = new Helm(Chart.FOLDER);
    Release installed =
        helm.install()
            .withName(NAME)
            .withNamespace(NAMESPACE)
            .createNamespace()
            .withKubeConfig(kubeconfig)
            .withValuesFile(PRESET)
            .set("persistence.runs.keep", false)
            .call();
    try {
      assertThat(installed.getStatus()).isEqualToIgnoringCase("deployed");

      // What cannot be changed in a Job is, so the Jobs must be others.
      Release upgraded =
          helm.upgrade()
              .withName(NAME)
              .withNamespace(NAMESPACE)
              .withKubeConfig(kubeconfig)
              .withValuesFile(PRESET)
              .set("persistence.runs.keep", false)
              .set("image.tag", "another")
              .call();
      assertThat(upgraded.getRevision()).isEqualTo("2");
      assertThat(releases()).extracting(Release::getName).containsExactly(NAME);
    } finally {
      Helm.uninstall(NAME).withNamespace(NAMESPACE).withKubeConfig(kubeconfig).call();
    }
    assertThat(releases()).isEmpty();
  }
}
