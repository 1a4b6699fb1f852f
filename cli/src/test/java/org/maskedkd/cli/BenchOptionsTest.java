package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.schedule.Costs;
import picocli.CommandLine;

class BenchOptionsTest {
  @Test
  void sleepDevices_ofABatchOf100_costTheirShareOfIt() {
    Costs costs = SleepDevices.parse("sleep:F=1,B=2,T=4,O=0.1,unit=500ms").costs(100);

    assertThat(costs.forward().of(100)).isCloseTo(0.55, within(1e-12));
    assertThat(costs.backward().of(10)).isCloseTo(0.15, within(1e-12));
    assertThat(costs.teacher().of(25)).isCloseTo(0.55, within(1e-12));
  }

  @Test
  void sleepDevices_unitInSecondsOrMilliseconds_isTheSame() {
    assertThat(SleepDevices.parse("sleep:F=1,unit=0.25s"))
        .isEqualTo(SleepDevices.parse("sleep:F=1,unit=250ms"));
  }

  @Test
  void sleepDevices_whatIsNone_isRefusedWithWhatIs() {
    for (String wrong :
        new String[] {
          "fast", "sleep:", "sleep:X=1", "sleep:F=-1", "sleep:F=1,F=2", "sleep:F=x", "sleep:unit=0"
        }) {
      assertThatIllegalArgumentException()
          .as(wrong)
          .isThrownBy(() -> SleepDevices.parse(wrong))
          .withMessageContaining("found '");
    }
  }

  @Test
  void sizes_ofANumberAndOfAList_addUpToTheBatch() {
    assertThat(which("3").sizes(8)).isEqualTo(List.of(3, 3, 2));
    assertThat(which("1:4:3").sizes(8)).isEqualTo(List.of(1, 4, 3));
    assertThat(which("auto").sizes(8)).isEmpty();
  }

  @Test
  void sizes_thatDoNotAddUp_areRefusedWithBothSums() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> which("1:4").sizes(8))
        .withMessageContaining("add up to 5, the batch has 8");
  }

  @Test
  void colocated_saidOrNotOrDenied_isWhatItSays() {
    assertThat(colocated()).isEqualTo(true);
    assertThat(colocated("--colocated")).isEqualTo(true);
    assertThat(colocated("--no-colocated")).isEqualTo(false);
  }

  private static Object colocated(String... arguments) {
    CommandLine command =
        new CommandLine(new BenchPipelineCommand()).setCaseInsensitiveEnumValuesAllowed(true);
    command.parseArgs(arguments);
    return command.getCommandSpec().findOption("--colocated").getValue();
  }

  @Test
  void slow_oneOfThreeSleepingTeachers_takesItsFactorOfTheTime() {
    SleepDevices sleep = SleepDevices.parse("sleep:F=1,B=2,T=4,O=0.1,unit=500ms");
    assertThat(sleep.teacherOption(100, 2))
        .isEqualTo("--sleep=teacher=0.040000000,overhead=0.100000000");
    BenchSetup setup =
        new BenchSetup(
            BenchSetup.model("deit_tiny_patch16_224"),
            BenchSetup.model("deit_tiny_patch16_224"),
            8,
            1,
            5,
            8,
            false,
            false,
            sleep,
            List.of(2.0));
    assertThat(setup.slowness(3)).containsExactly(2.0, 1.0, 1.0);
  }

  @Test
  void slow_realTeachers_isRefusedWithTheWayOut() {
    StringWriter said = new StringWriter();
    int code =
        Main.commandLine()
            .setErr(new PrintWriter(said, true))
            .execute("bench", "pipeline", "--slow", "2");
    assertThat(code).isEqualTo(64);
    assertThat(said.toString()).contains("--slow is [2.0]").contains("--devices=sleep:");
  }

  private static BenchCase which(String microBatches) {
    return new BenchCase("eager", microBatches, 0.5, RunConfig.Precision.FP32, 1);
  }
}
