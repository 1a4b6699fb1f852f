package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/**
 * The README's table of values is that of {@code values.yaml}, whose comments describe its keys.
 * With {@code -Dreadme.write=true} it is written anew.
 */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class ReadmeTest {
  private static final Path README = Chart.FOLDER.resolve("README.md");
  private static final String BEGIN = "<!-- values -->\n";
  private static final String END = "<!-- end of values -->\n";
  private static final Pattern KEY = Pattern.compile("^( *)([A-Za-z]+):(?: (.*))?$");

  @Test
  void table_ofTheReadme_isThatOfTheValues() throws IOException {
    String readme = Files.readString(README);
    String wanted = table();
    int from = readme.indexOf(BEGIN) + BEGIN.length();
    int to = readme.indexOf(END);
    if (Boolean.getBoolean("readme.write")) {
      Files.writeString(README, readme.substring(0, from) + wanted + readme.substring(to));
      return;
    }
    assertThat(readme.substring(from, to))
        .as("-pl helm test -Dtest=ReadmeTest -Dreadme.write=true writes it anew")
        .isEqualTo(wanted);
  }

  /** A row for each key that has a value of its own. */
  private static String table() throws IOException {
    List<String> path = new ArrayList<>();
    List<String> comments = new ArrayList<>();
    StringBuilder table = new StringBuilder("| value | default | means |\n|---|---|---|\n");
    for (String line : Files.readAllLines(Chart.FOLDER.resolve("values.yaml"))) {
      if (line.strip().startsWith("#")) {
        comments.add(line.strip().substring(1).strip());
        continue;
      }
      Matcher key = KEY.matcher(line);
      if (!key.matches()) {
        assertThat(line).as("a line of values.yaml that is neither key nor comment").isBlank();
        continue;
      }
      int depth = key.group(1).length() / 2;
      path.subList(depth, path.size()).clear();
      path.add(key.group(2));
      if (key.group(3) != null) {
        assertThat(comments).as("what %s means", path).isNotEmpty();
        table.append(
            "| `%s` | `%s` | %s |\n"
                .formatted(
                    String.join(".", path),
                    key.group(3),
                    String.join(" ", comments).replace("|", "\\|")));
      }
      comments.clear();
    }
    return table.toString();
  }
}
