package org.maskedkd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.maskedkd.cli.TinyRun.named;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;

/** A long run takes no more memory than a short one, in any of its processes. */
@ExtendWith(SharedStages.Extension.class)
@EnabledOnOs(OS.LINUX)
class MemoryProcessTest {
  /** Everything has been loaded and compiled by then, and an evaluation comes after it. */
  private static final int WARM = 120;

  /**
   * One leaked layer's output (12 images of 17 tokens of width 16, with its MLP 65 kB) in each of
   * 380 steps would be 24 MB; what is measured is below 1 MB.
   */
  private static final long ALLOWED_KB = 12 << 10;

  @Test
  void coordinator_500Steps_noProcessGrows(SharedStages stages) throws IOException {
    assertSteadyUntil(500, stages);
  }

  @Test
  @Tag("soak")
  void coordinator_10000Steps_noProcessGrows(SharedStages stages) throws IOException {
    assertSteadyUntil(10_000, stages);
  }

  private static void assertSteadyUntil(int steps, SharedStages stages) throws IOException {
    TinyRun run =
        stages.run(
            "memory-" + steps,
            1,
            "data.train=generated:classes=3,images=1200,size=16,patch=4,seed=1,split=train",
            "schedule.epochs=200",
            "evaluation.every-epochs=1",
            "ema.decay=0.99",
            "distillation.manifold.weight=0.5",
            "distillation.manifold.group=4",
            "distillation.attention.weight=0.3");
    try (MaskedKdProcess coordinator = run.process()) {
      Map<String, Long> pids = new LinkedHashMap<>();
      pids.put("coordinator", coordinator.pid());
      pids.put("student", stages.studentProcess().pid());
      pids.put("teacher", stages.teacherProcess().pid());

      run.awaitSteps(WARM);
      Map<String, Long> before = resident(pids);
      run.awaitSteps(steps);
      Map<String, Long> after = resident(pids);
      coordinator.interrupt();
      coordinator.endsWith(130);

      assertThat(pids.keySet())
          .allSatisfy(
              name ->
                  assertThat(named(after, name) - named(before, name))
                      .as(
                          "growth in kB of the %s from %s kB after step %s to %s kB after step %s",
                          name, before.get(name), WARM, after.get(name), steps)
                      .isLessThan(ALLOWED_KB));
    }
  }

  private static Map<String, Long> resident(Map<String, Long> pids) throws IOException {
    Map<String, Long> kilobytes = new LinkedHashMap<>();
    for (Map.Entry<String, Long> process : pids.entrySet()) {
      Path status = Path.of("/proc", Long.toString(process.getValue()), "status");
      String line =
          Files.readAllLines(status).stream()
              .filter(l -> l.startsWith("VmRSS:"))
              .findFirst()
              .orElseThrow();
      kilobytes.put(process.getKey(), Long.valueOf(line.replaceAll("\\D", "")));
    }
    return kilobytes;
  }
}
