package org.maskedkd.helm;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Programs of the system that some tests need. */
final class Programs {
  private Programs() {}

  static boolean has(String name) {
    return Arrays.stream(System.getenv("PATH").split(":", -1))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, name)));
  }

  static boolean hasPrometheus() {
    return has("prometheus") && has("promtool");
  }

  static boolean hasPrometheusAndChromium() {
    return hasPrometheus() && has("chromium");
  }
}
