package org.maskedkd.helm;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.TemplateCommand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The chart as its users render it. */
final class Chart {
  static final Path FOLDER = Path.of("maskedkd").toAbsolutePath();
  static final String RELEASE = "rel";
  static final String NAMESPACE = "ns";

  /** The oldest that the chart takes, and some after it. */
  static final List<String> KUBERNETES = List.of("1.29.0", "1.31.4", "1.33.0", "1.36.1");

  static final String NEWEST = KUBERNETES.get(KUBERNETES.size() - 1);

  private Chart() {}

  /** The values files that the chart ships as examples. */
  static List<Path> presets() {
    try (Stream<Path> files = Files.list(FOLDER.resolve("ci"))) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Path preset(String name) {
    return FOLDER.resolve("ci").resolve(name + "-values.yaml");
  }

  /** Every manifest but the hooks'. */
  static String render(Path values, String kubernetes, String... more) {
    return render(FOLDER, values, kubernetes, more);
  }

  private static String render(Path chart, Path values, String kubernetes, String... more) {
    TemplateCommand command =
        new Helm(chart)
            .template()
            .withName(RELEASE)
            .withNamespace(NAMESPACE)
            .withKubeVersion(kubernetes)
            .withValuesFile(values);
    for (String setting : more) {
      int equals = setting.indexOf('=');
      command.set(setting.substring(0, equals), setting.substring(equals + 1));
    }
    return command.call();
  }

  /** The hooks too. Helm leaves them out of what it renders, so they are made ordinary objects. */
  static String renderWithHooks(Path values, Path scratch) throws IOException {
    Path copy = scratch.resolve("chart");
    try (Stream<Path> files = Files.walk(FOLDER)) {
      for (Path file : files.sorted(Comparator.naturalOrder()).toList()) {
        Path target = copy.resolve(FOLDER.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.writeString(
              target, Files.readString(file).replace("helm.sh/hook: test", "tested/hook: test"));
        }
      }
    }
    return render(copy, values, NEWEST);
  }

  /** What an installation says. */
  static String notes(Path values) {
    String output =
        new Helm(FOLDER)
            .install()
            .withName(RELEASE)
            .withNamespace(NAMESPACE)
            .clientOnly()
            .dryRun()
            .debug()
            .withKubeVersion(NEWEST)
            .withValuesFile(values)
            .call()
            .getOutput();
    return output.substring(output.indexOf("NOTES:"));
  }
}
