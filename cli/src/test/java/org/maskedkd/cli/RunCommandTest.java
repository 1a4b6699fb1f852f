package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

class RunCommandTest {
  private static final String CONFIG =
      """
      name: test
      student: {model: "vit:image=32,patch=4,width=32,depth=1,heads=1,classes=4"}
      teacher: {model: "vit:image=32,patch=4,width=32,depth=1,heads=1,classes=4", weights: "random:1", replicas: 2}
      data: {train: "generated:classes=4,images=64,size=32,patch=4,seed=1,split=train", eval: "generated:classes=4,images=8,size=32,patch=4,seed=1,split=eval"}
      evaluation: {teacher-check-images: 0}
      schedule: {epochs: 1, batch: 16}
      """;

  @TempDir Path folder;

  private Run train(String... more) throws Exception {
    Path file = Files.writeString(folder.resolve("c.yaml"), CONFIG);
    String[] args = new String[more.length + 5];
    List<String> first = List.of("train", "-c", file.toString(), "--runs-dir", folder.toString());
    first.toArray(args);
    System.arraycopy(more, 0, args, first.size(), more.length);
    return Run.of(CoordinatorMain.commandLine(), args);
  }

  @Test
  void train_unknownKey_exits64AndNamesTheNearest() throws Exception {
    Run run = train("schedule.epoch=3");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("schedule.epochs").doesNotContain("\tat ");
    assertThat(folder.resolve("test")).doesNotExist();
  }

  @Test
  void train_misspeltOption_exits64AndNamesTheNearest() throws Exception {
    Run run = train("--max-step", "3");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("Did you mean --max-steps?");
  }

  @Test
  void train_noConfiguration_exits64() {
    Run run = Run.of(CoordinatorMain.commandLine(), "train");
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("-c FILE").contains("--resume RUN_DIR");
  }

  @Test
  void train_resumeOfNothing_exits64AndSaysWhatIsMissing() {
    Run run = Run.of(CoordinatorMain.commandLine(), "train", "--resume", folder.toString());
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("config.yaml");
  }

  @Test
  void coordinator_withoutAddresses_exits64AndNamesTheStages() throws Exception {
    Path file = Files.writeString(folder.resolve("c.yaml"), CONFIG);
    Run run = Run.of(CoordinatorMain.commandLine(), "coordinator", "-c", file.toString());
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains("student, teacher-0, teacher-1");
  }

  @Test
  void stagesOf_config_isAStudentAndEachReplicaUnlessAddressed() {
    assertThat(stages()).containsExactly("student", "teacher-0", "teacher-1");
    assertThat(stages("student.address=h:1", "teacher.addresses=[h:2]")).isEmpty();
    assertThat(stages("student.address=h:1")).containsExactly("teacher-0", "teacher-1");
  }

  private static List<String> stages(String... overrides) {
    RunConfig config = ConfigLoader.parse(CONFIG, "test", List.of(overrides));
    return LocalProcesses.stagesOf(config).stream().map(StageSpec::name).toList();
  }

  @Test
  void absolutePaths_stagesStartedHere_dependOnNoFolder() {
    Path here = Path.of("").toAbsolutePath();
    RunConfig config =
        ConfigLoader.parse(
            CONFIG, "test", List.of("student.init=a's.safetensors", "teacher.weights=t"));
    RunConfig resolved =
        ConfigLoader.parse(ConfigLoader.toYaml(config), "test", RunCommand.absolutePaths(config));
    assertThat(resolved.data().root()).isEqualTo(here.toString());
    assertThat(resolved.student().init()).isEqualTo(here.resolve("a's.safetensors").toString());
    assertThat(resolved.teacher().weights()).isEqualTo(here.resolve("t").toString());
    assertThat(
            RunCommand.absolutePaths(
                ConfigLoader.parse(CONFIG, "test", List.of("student.address=h:1"))))
        .isEmpty();
  }

  @Test
  void start_stageThatCannotServe_failsWithItsOwnCodeAndWords() throws Exception {
    Path missing = folder.resolve("none.safetensors");
    StageSpec spec =
        new StageSpec(
            "teacher-0",
            StageSpec.Role.TEACHER,
            List.of("--model", "deit_tiny_patch16_224", "--weights", missing.toString()),
            1);
    try (LocalProcesses processes = LocalProcesses.start(List.of(spec), folder)) {
      assertThatThrownBy(processes::addresses)
          .isInstanceOfSatisfying(
              RunException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.BAD_DATA))
          .hasMessageContainingAll("teacher-0", "exit code 65", "none.safetensors", "no such file");
    }
  }

  @Test
  void close_servingStage_endsIt() throws Exception {
    StageSpec spec =
        new StageSpec(
            "student", StageSpec.Role.STUDENT, List.of("--run-root", folder.toString()), 1);
    StageProcess stage = StageProcess.start(spec, "127.0.0.1:0", folder, RestartBudget.standard());
    String address = stage.address(Duration.ofMinutes(2));
    stage.requestStop();
    stage.awaitStop(Duration.ofMinutes(1));
    assertThat(address).matches("127\\.0\\.0\\.1:\\d+");
    try (var socket = new Socket()) {
      int port = Integer.parseInt(address.substring(address.indexOf(':') + 1));
      assertThatThrownBy(() -> socket.connect(new InetSocketAddress("127.0.0.1", port)))
          .isInstanceOf(ConnectException.class);
    }
  }
}
