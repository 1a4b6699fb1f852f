package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The script that starts the program, with a Java that says what it was given. */
@DisabledOnOs(OS.WINDOWS)
class LaunchTest {
  private static final Path SCRIPTS = Path.of("src/main/launch").toAbsolutePath();

  @TempDir private Path folder;
  private Path lib;

  private record Launched(int exit, List<String> said) {}

  @BeforeEach
  void build() throws IOException {
    lib = Files.createDirectories(folder.resolve("lib"));
    Files.writeString(folder.resolve("java"), "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    assertThat(folder.resolve("java").toFile().setExecutable(true)).isTrue();
    Files.writeString(folder.resolve("coordinator.classpath"), "@LIB@/a.jar:@LIB@/b.jar");
  }

  private void withTensors() throws IOException {
    Files.createFile(lib.resolve("tensor-1.jar"));
  }

  private Launched launch(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                SCRIPTS.resolve("launch").toString(),
                folder.resolve("java").toString(),
                lib.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().remove("MASKEDKD_JAVA_OPTS");
    builder.environment().remove("MASKEDKD_HEAP_PERCENT");
    builder.environment().putAll(environment);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Launched(process.waitFor(), said.lines().toList());
  }

  @ParameterizedTest
  @CsvSource({
    "coordinator, CoordinatorMain",
    "train, CoordinatorMain",
    "simulate, CoordinatorMain",
    "probe, CoordinatorMain",
    "doctor, Main",
    "student-stage, Main",
    "--help, Main",
  })
  void launch_allJars_startsTheCommandWithWhatItNeeds(String command, String main)
      throws IOException, InterruptedException {
    withTensors();

    Launched launched = launch(Map.of(), command, "two words");

    boolean leads = main.startsWith("Coordinator");
    String jars = leads ? lib + "/cli.jar:" + lib + "/a.jar:" + lib + "/b.jar" : lib + "/*";
    assertThat(launched.exit()).isZero();
    assertThat(launched.said())
        .containsExactly(
            "@" + SCRIPTS + "/jvm.options",
            "-Dmaskedkd.lib=" + lib,
            leads ? "-Xmx512m" : "-Xmx2g",
            "-XX:+UseSerialGC",
            "-cp",
            jars,
            "org.maskedkd.cli." + main,
            command,
            "two words");
  }

  @Test
  void launch_inAnImage_takesItsShareOfMemoryItsLibrariesAndTheUsersOptionsLast()
      throws IOException, InterruptedException {
    withTensors();
    Path natives = Files.createDirectory(folder.resolve("native"));

    Launched launched =
        launch(
            Map.of("MASKEDKD_HEAP_PERCENT", "25", "MASKEDKD_JAVA_OPTS", "-Xmx1g -Da=b"),
            "student-stage");

    assertThat(launched.said())
        .containsSubsequence(
            "-XX:MaxRAMPercentage=25",
            "-Djava.library.path=" + natives,
            "-Djna.boot.library.path=" + natives,
            "-Xmx1g",
            "-Da=b",
            "-cp")
        .doesNotContain("-XX:+UseSerialGC", "-Xmx2g");
  }

  @ParameterizedTest
  @CsvSource({"train, CoordinatorMain", "student-stage, Main"})
  void launch_pathWithBlanksAndOtherMarks_isTakenAsItIs(String command, String main)
      throws IOException, InterruptedException {
    Path odd = Files.createDirectory(folder.resolve("R&D  a#1\\2 *[x]"));
    lib = Files.createDirectory(odd.resolve("lib"));
    withTensors();
    Path natives = Files.createDirectory(odd.resolve("native"));
    Files.copy(folder.resolve("coordinator.classpath"), odd.resolve("coordinator.classpath"));

    Launched launched = launch(Map.of(), command);

    boolean leads = main.startsWith("Coordinator");
    assertThat(launched.said())
        .containsExactly(
            "@" + SCRIPTS + "/jvm.options",
            "-Dmaskedkd.lib=" + lib,
            leads ? "-Xmx512m" : "-Xmx2g",
            "-XX:+UseSerialGC",
            "-Djava.library.path=" + natives,
            "-Djna.boot.library.path=" + natives,
            "-cp",
            leads ? lib + "/cli.jar:" + lib + "/a.jar:" + lib + "/b.jar" : lib + "/*",
            "org.maskedkd.cli." + main,
            command);
  }

  @Test
  void launch_usersOptions_areApartAtBlanksAndNoPatterns()
      throws IOException, InterruptedException {
    withTensors();
    Files.createFile(folder.resolve("-Da=file"));

    Launched launched = launch(Map.of("MASKEDKD_JAVA_OPTS", " -Da=*  -Db=&c "), "doctor");

    assertThat(launched.said()).containsSubsequence("-Da=*", "-Db=&c", "-cp").doesNotContain("");
  }

  @ParameterizedTest
  @ValueSource(strings = {"train", "student-stage", "teacher-stage", "doctor", "trian"})
  void launch_withoutTheTensorLibrary_refusesTheOthersInOneLine(String command)
      throws IOException, InterruptedException {
    Launched launched = launch(Map.of(), command);

    assertThat(launched.exit()).isEqualTo(64);
    assertThat(launched.said())
        .singleElement()
        .asString()
        .startsWith("maskedkd: " + command + " needs the tensor library, which is not in " + lib)
        .contains("coordinator, simulate and probe");
  }

  @ParameterizedTest
  @ValueSource(strings = {"coordinator", "simulate", "probe", "--help", "--version"})
  void launch_withoutTheTensorLibrary_startsWhatDoesWithoutIt(String command)
      throws IOException, InterruptedException {
    assertThat(launch(Map.of(), command).said()).contains("org.maskedkd.cli.CoordinatorMain");
  }

  @Test
  void sharedOptions_areThoseOfTheScript() throws IOException {
    assertThat(JavaCommand.of(1, "", List.of()))
        .containsAll(
            Files.readAllLines(SCRIPTS.resolve("jvm.options")).stream()
                .filter(line -> line.startsWith("-"))
                .toList());
  }
}
