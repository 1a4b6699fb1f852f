package org.maskedkd.helm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

/** What the workflows and the check of a release's version name is there. */
class WorkflowsTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

  @TempDir private Path scratch;

  static List<Path> workflows() throws IOException {
    try (Stream<Path> files = Files.list(ROOT.resolve(".github/workflows"))) {
      return files.sorted().toList();
    }
  }

  private static JsonNode workflow(Path file) throws IOException {
    return YAML.readTree(file.toFile());
  }

  private static List<String> pom(String xpath) throws Exception {
    Document pom =
        DocumentBuilderFactory.newDefaultInstance()
            .newDocumentBuilder()
            .parse(ROOT.resolve("pom.xml").toFile());
    NodeList nodes =
        (NodeList)
            XPathFactory.newDefaultInstance()
                .newXPath()
                .evaluate(xpath, pom, XPathConstants.NODESET);
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      texts.add(nodes.item(i).getTextContent());
    }
    return texts;
  }

  /** The commands of all steps, those that go on over several lines as one. */
  private static String commands(Path file) throws IOException {
    return String.join("\n", workflow(file).findValuesAsText("run")).replaceAll("\\\\\n\\s*", " ");
  }

  /** What the pattern's first group is, at each of its places. */
  private static List<String> found(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results().map(m -> m.group(1)).toList();
  }

  @Test
  void verify_javas_areThoseThatThePomIsMadeFor() throws Exception {
    JsonNode matrix =
        workflow(ROOT.resolve(".github/workflows/verify.yml"))
            .at("/jobs/verify/strategy/matrix/jdk");
    List<String> javas = new ArrayList<>(pom("/project/properties/maven.compiler.release"));
    pom("//profile/activation/jdk").forEach(range -> javas.addAll(found("(\\d+)", range)));

    assertThat(matrix).extracting(JsonNode::asText).isEqualTo(javas);
  }

  @ParameterizedTest
  @MethodSource("workflows")
  void commands_scriptsModulesProfilesAndTests_areThere(Path file) throws Exception {
    String commands = commands(file);

    assertThat(found("(?m)(?:^|[\\s;&|])(\\.{1,2}/?[\\w.-]*/?[\\w-]+)(?=\\s|$)", commands))
        .filteredOn(path -> !path.equals(".."))
        .isNotEmpty()
        .allSatisfy(path -> assertThat(ROOT.resolve(path)).isExecutable());
    assertThat(pom("//profile/id")).containsAll(found("-P(\\w+)", commands));
    List<String> modules = found("-pl (\\S+)", commands);
    assertThat(pom("//module"))
        .containsAll(modules.stream().flatMap(m -> Stream.of(m.split(",", -1))).toList());
    for (String test : found("-Dtest=(\\w+)", commands)) {
      try (Stream<Path> sources = Files.walk(ROOT.resolve("helm/src/test/java"))) {
        assertThat(sources).anyMatch(source -> source.endsWith(test + ".java"));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("workflows")
  void images_targetsAndArguments_areThoseOfTheDockerfile(Path file) throws IOException {
    String dockerfile = Files.readString(ROOT.resolve("Dockerfile"));
    String commands = commands(file);

    assertThat(found("(?m)^FROM \\S+ AS (\\S+)$", dockerfile))
        .containsAll(found("--target (\\S+)", commands));
    assertThat(found("(?m)^ARG (\\w+)=", dockerfile))
        .containsAll(found("--build-arg \"?(\\w+)=", commands));
    assertThat(found("--target (\\S+)", commands)).containsExactly("coordinator", "stage");
  }

  @Test
  void verify_runOnTheCluster_isOfTheImagesBuiltAndValuesOfTheChart() throws IOException {
    String commands = commands(ROOT.resolve(".github/workflows/verify.yml"));
    JsonNode values = YAML.readTree(Chart.FOLDER.resolve("values.yaml").toFile());

    List<String> loaded = found("kind load docker-image (.+)", commands);
    assertThat(loaded).hasSize(1);
    assertThat(loaded.get(0).split(" ", -1))
        .containsExactlyInAnyOrderElementsOf(found("docker build .*-t (\\S+)", commands));
    assertThat(found("helm install .*-f (\\S+)", commands))
        .singleElement()
        .satisfies(file -> assertThat(ROOT.resolve(file)).isRegularFile());
    assertThat(found("--set (\\S+)=", commands))
        .isNotEmpty()
        .allSatisfy(
            name ->
                assertThat(values.at("/" + name.replace('.', '/')).isMissingNode())
                    .as(name)
                    .isFalse());
  }

  @ParameterizedTest
  @MethodSource("workflows")
  void uses_everyAction_isOfAMajorVersionOrOfThisRepository(Path file) throws IOException {
    assertThat(workflow(file).findValuesAsText("uses"))
        .isNotEmpty()
        .allSatisfy(
            uses -> {
              if (uses.startsWith("./")) {
                assertThat(ROOT.resolve(uses)).isRegularFile();
              } else {
                assertThat(uses).matches("actions/[\\w-]+@v\\d+");
              }
            });
  }

  @ParameterizedTest
  @MethodSource("workflows")
  void permissions_ofEveryJob_areToReadUnlessItSaysMore(Path file) throws IOException {
    JsonNode permissions = workflow(file).path("permissions");

    assertThat(permissions.properties()).hasSize(1);
    assertThat(permissions.path("contents").asText()).isEqualTo("read");
  }

  @Test
  void chart_version_isThatOfThePom() throws Exception {
    String version = pom("/project/version").get(0).replace("-SNAPSHOT", "");
    JsonNode chart = YAML.readTree(Chart.FOLDER.resolve("Chart.yaml").toFile());

    assertThat(chart.path("version").asText()).isEqualTo(version);
    assertThat(chart.path("appVersion").asText()).isEqualTo(version);
  }

  private String releaseVersion(String pom, String chart, String app, String changelog)
      throws Exception {
    Files.createDirectories(scratch.resolve("helm/maskedkd"));
    Files.createDirectories(scratch.resolve(".ci"));
    Path script = scratch.resolve(".ci/release-version");
    if (!Files.exists(script)) {
      Files.copy(ROOT.resolve(".ci/release-version"), script);
    }
    Files.writeString(
        scratch.resolve("pom.xml"),
        Files.readString(ROOT.resolve("pom.xml"))
            .replaceFirst("\n  <version>.*\n", "\n  <version>" + pom + "</version>\n"));
    Files.writeString(
        scratch.resolve("helm/maskedkd/Chart.yaml"),
        Files.readString(Chart.FOLDER.resolve("Chart.yaml"))
            .replaceFirst("\nversion: .*", "\nversion: " + chart)
            .replaceFirst("\nappVersion: .*", "\nappVersion: " + app));
    Files.writeString(scratch.resolve("CHANGELOG.md"), "# Changelog\n\n## " + changelog + "\n");
    Process check =
        new ProcessBuilder("bash", script.toString(), "1.2.3").redirectErrorStream(true).start();
    String said = new String(check.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return check.waitFor() + " " + said;
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void releaseVersion_whatIsOfAnother_isNamed() throws Exception {
    assertThat(releaseVersion("1.2.3", "1.2.3", "1.2.3", "1.2.3")).isEqualTo("0 ");
    assertThat(releaseVersion("1.2.3-SNAPSHOT", "1.2.3", "1.2.3", "1.2.3"))
        .startsWith("1 ")
        .contains("the version in pom.xml is '1.2.3-SNAPSHOT', the release is '1.2.3'");
    assertThat(releaseVersion("1.2.3", "1.2.2", "1.2.3", "1.2.3"))
        .startsWith("1 version in helm/maskedkd/Chart.yaml is '1.2.2'");
    assertThat(releaseVersion("1.2.3", "1.2.3", "1.2.2", "1.2.3"))
        .startsWith("1 appVersion in helm/maskedkd/Chart.yaml is '1.2.2'");
    assertThat(releaseVersion("1.2.3", "1.2.3", "1.2.3", "Unreleased"))
        .startsWith("1 CHANGELOG.md has no section '## 1.2.3'");
  }
}
