package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Step times are those of closed forms: T + (F + B) / M and the like. */
class SimulateCommandTest {

  private static Run run(String... more) {
    List<String> args =
        new ArrayList<>(List.of("simulate", "--forward=1", "--backward=2", "--teacher=4"));
    args.addAll(Arrays.asList(more));
    return Run.of(CoordinatorMain.commandLine(), args.toArray(String[]::new));
  }

  private static List<JsonNode> json(String... more) throws Exception {
    String[] args = Arrays.copyOf(more, more.length + 1);
    args[more.length] = "--json";
    Run run = run(args);
    assertThat(run.err()).isEmpty();
    assertThat(run.exit()).isZero();
    List<JsonNode> lines = new ArrayList<>();
    for (String line : run.out().lines().toList()) {
      lines.add(new ObjectMapper().readTree(line));
    }
    return lines;
  }

  @Test
  void json_everyOrder_hasItsStep() throws Exception {
    List<JsonNode> lines = json("--micro-batches=4", "--teacher-full=8");
    assertThat(lines.stream().map(line -> line.get("order").asText() + " " + line.get("step")))
        .containsExactly(
            "sequential 7.0",
            "concurrent-full 8.5",
            "masked-whole 7.0",
            "fill-drain 6.25",
            "eager 4.75");
    JsonNode eager = lines.get(4);
    assertThat(eager.get("sizes").toString()).isEqualTo("[32,32,32,32]");
    assertThat(eager.get("bubble").asDouble()).isCloseTo(1 - 4 / 4.75, within(1e-9));
    assertThat(eager.get("imbalance").asDouble()).isCloseTo(1 / 4.75, within(1e-9));
    assertThat(eager.get("bound").asDouble()).isEqualTo(4);
    assertThat(eager.get("speed_up").asDouble()).isCloseTo(7 / 4.75, within(1e-9));
    assertThat(eager.get("peak_share").asDouble()).isEqualTo(1);
    assertThat(lines.get(0).get("peak_samples").asInt()).isEqualTo(32);
  }

  @Test
  void json_overheadsAndTransfers_countWhereTheyBelong() throws Exception {
    // f + c1 + M t + c2 + b + u
    assertThat(
            json(
                    "--orders=eager",
                    "--micro-batches=4",
                    "--overhead=0.01",
                    "--overhead-teacher=0.03",
                    "--transfer=0.02",
                    "--signals=0.04",
                    "--optimizer=0.05")
                .get(0)
                .get("step")
                .asDouble())
        .isCloseTo(0.26 + 0.02 + 4 * 1.03 + 0.04 + 0.51 + 0.05, within(1e-9));
  }

  @Test
  void json_autoUnderAMemoryCap_reachesThePublishedStep() throws Exception {
    JsonNode tuned =
        json(
                "--orders=eager",
                "--micro-batches=auto",
                "--overhead=0.01",
                "--transfer=0.02",
                "--optimizer=0.05",
                "--memory=0.25")
            .get(0);
    assertThat(tuned.get("step").asDouble()).isLessThan(4.268 * 1.003);
    assertThat(tuned.get("peak_samples").asInt()).isLessThanOrEqualTo(32);
    assertThat(tuned.get("window").asInt()).isEqualTo(32);
  }

  @Test
  void json_severalTeachersOneSlow_usesTheirFactors() throws Exception {
    List<JsonNode> lines =
        json("--orders=eager", "--micro-batches=1", "--teachers=1,2", "--slow=2,1");
    assertThat(lines).hasSize(2);
    assertThat(lines.get(0).get("step").asDouble()).isEqualTo(1 + 8 + 2);
    assertThat(lines.get(1).get("slowness").toString()).isEqualTo("[2.0,1.0]");
  }

  @Test
  void table_sizesGiven_showsThemWithWhatTheyCost() {
    Run run =
        run(
            "--orders=eager",
            "--micro-batches=4:16:58:29:14:7,5",
            "--overhead=0.01",
            "--transfer=0.02",
            "--optimizer=0.05");
    assertThat(run.exit()).isZero();
    List<String> lines = run.out().lines().toList();
    assertThat(lines.get(0).split("\\s+"))
        .containsExactly(
            "order", "M", "sizes", "teachers", "step", "bubble", "imbalance", "speed-up", "memory");
    assertThat(lines.get(1)).matches("eager +6  4:16:58:29:14:7 +1 +4\\.326 .* 1\\.65x .*");
    assertThat(lines.get(2)).matches("eager +5  5 x 25-26 .*");
    assertThat(run.out())
        .contains("Speed-up over one device at a time with one teacher, 7.120 a step.")
        .contains("With 1 teacher no order beats 4.010.")
        .contains("would take 3.565 against 4.326, before exchanging gradients.");
  }

  @Test
  void json_staleMasks_hasThePublishedSteps() throws Exception {
    for (String[] published : new String[][] {{"0", "4.900"}, {"1", "4.150"}, {"2", "4.040"}}) {
      assertThat(
              json(
                      "--orders=eager",
                      "--micro-batches=4",
                      "--overhead=0.01",
                      "--transfer=0.02",
                      "--optimizer=0.05",
                      "--stale-masks=" + published[0])
                  .get(0)
                  .get("step")
                  .asDouble())
          .isCloseTo(Double.parseDouble(published[1]), within(5e-4));
    }
  }

  @Test
  void table_staleMasks_saysThatTheyChangeTheResultAndDrawsThem() {
    Run run = run("--micro-batches=4", "--stale-masks=1", "--draw");
    assertThat(run.out())
        .contains("This changes what is learned.")
        .contains("eager, 4 x 32 of 128, 1 teacher, first 1 masks stale")
        .containsPattern("student  F0-*F1-*F2-*F3-*A0-*")
        .contains("masked-whole, 4 x 32 of 128, 1 teacher\n");
  }

  @Test
  void table_smallWindow_leavesOutWhatHoldsTheWholeBatch() {
    Run run = run("--memory=0.25");
    assertThat(run.exit()).isZero();
    assertThat(run.out())
        .contains(
            "masked-whole and fill-drain hold the whole batch and are left out with a window of 32.");
    assertThat(run.out().lines()).noneMatch(line -> line.startsWith("fill-drain "));
    assertThat(run.out().lines()).anyMatch(line -> line.startsWith("eager "));
  }

  @Test
  void draw_text_isOneLineForEachDevice() {
    Run run = run("--orders=eager", "--micro-batches=2", "--draw");
    assertThat(run.out())
        .contains("\neager, 2 x 64 of 128, 1 teacher\nstudent  F0-------F1-------...")
        .containsPattern("\nteacher  \\.{9}T0-+T1-+\\.+\n");
  }

  @Test
  void svg_file_holdsAllSteps(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("steps.svg");
    assertThat(run("--micro-batches=2", "--svg=" + file).exit()).isZero();
    assertThat(Files.readString(file))
        .contains("concurrent-full, 2 x 64 of 128, 1 teacher", "eager, 2 x 64 of 128, 1 teacher");
    Path nowhere = directory.resolve("none").resolve("steps.svg");
    Run failed = run("--micro-batches=2", "--svg=" + nowhere);
    assertThat(failed.exit()).isEqualTo(73);
    assertThat(failed.err()).contains("cannot write " + nowhere);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '/',
      quoteCharacter = '`',
      value = {
        "--micro-batches=4:16:58 / the sizes 4:16:58 add up to 78, not to the batch of 128",
        "--micro-batches=129 / a batch of 128 samples cannot be cut into 129 micro-batches; expected 1 to 128",
        "--micro-batches=two / 'two' is no way to cut a batch",
        "--micro-batches=0:128 / found the sizes [0, 128]",
        "--micro-batches=2 --window=50 / a window of 50 samples cannot hold the 64 that order",
        "--orders=fill-drain --window=50 / a window of 50 samples cannot hold the 128 that order fill-drain needs",
        "--orders=eagre / no order is called 'eagre'; there are sequential,",
        "--teachers=0 / --teachers must be at least 1, found 0",
        "--teachers=2 --slow=1.5 / --slow names 1 teachers, [1.5], for 2",
        "--slow=0 / slowness must be a number above 0, found [0.0]",
        "--memory=1.5 / --memory must be in (0, 1], found 1.5",
        "--memory=0.5 --window=64 / --window=64 and --memory=0.5 say the same",
        "--window=0 / --window must be at least 1, found 0",
        "--batch=0 / --batch must be at least 1, found 0",
        "--overhead=-3 / --overhead must be a time from 0 on, found -3.0",
        "--stale-masks=-1 / --stale-masks must be at least 0, found -1",
        "--stale-masks=1 --orders=masked-whole / eager or fill-drain, found masked-whole",
        "--stale-masks=3 --orders=eager --micro-batches=2 / stale masks for 3 micro-batches of 2",
        "--transfr=1 / Did you mean --transfer?",
      })
  void run_wrongNumbers_exits64AndNamesThem(String options, String message) {
    Run run = run(options.split(" "));
    assertThat(run.exit()).isEqualTo(64);
    assertThat(run.err()).contains(message);
    assertThat(run.out()).isEmpty();
  }

  @Test
  void help_showsAnExample() {
    Run run = run("--help");
    assertThat(run.exit()).isZero();
    assertThat(run.out()).contains("--micro-batches", "maskedkd simulate --forward=1");
  }
}
