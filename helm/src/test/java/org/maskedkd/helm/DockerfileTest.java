package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** What the Dockerfile repeats of the build and of the chart, so that it needs neither. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class DockerfileTest {
  private static List<String> all(String file, String pattern) throws IOException {
    return Pattern.compile(pattern)
        .matcher(Files.readString(Path.of("..", file)))
        .results()
        .map((MatchResult found) -> found.group(1))
        .distinct()
        .toList();
  }

  @Test
  void torchVersion_isTheOneOfTheJars() throws IOException {
    List<String> libtorch = all("pom.xml", "<libtorch.version>(.+)</libtorch.version>");

    assertThat(all("Dockerfile", "ARG TORCH_VERSION=(.+)")).isEqualTo(libtorch);
    assertThat(all("Dockerfile", "pytorch/pytorch:([0-9.]+)-cuda12.8-")).isEqualTo(libtorch);
  }

  @Test
  void version_isTheProjects() throws IOException {
    String project = all("pom.xml", "<artifactId>maskedkd</artifactId>\\s+<version>(.+)</").get(0);

    assertThat(all("Dockerfile", "ARG VERSION=(.+)")).containsExactly(project);
  }

  @Test
  void user_isTheOneOfTheChartsPods() throws IOException {
    assertThat(all("Dockerfile", "USER (\\d+):")).hasSize(1);
    assertThat(all("helm/maskedkd/templates/_helpers.tpl", "runAsUser: (\\d+)"))
        .isEqualTo(all("Dockerfile", "USER (\\d+):"));
  }
}
