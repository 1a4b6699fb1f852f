package org.maskedkd.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.ParentPipe;
import org.maskedkd.tensor.Precision;
import org.maskedkd.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The process behind the rows without a pipeline. It says {@code ready} after its warm-up, waits
 * for a line, takes its steps, writes the seconds of each on a line of its own and {@code done},
 * and ends with its standard input.
 */
@Command(
    name = "colocated",
    hidden = true,
    mixinStandardHelpOptions = true,
    description =
        "Student and teacher in one process, one after the other; started by bench pipeline.")
final class ColocatedCommand implements Callable<Integer> {
  static final String READY = "ready";
  static final String DONE = "done";

  @Option(names = "--student", required = true, paramLabel = "MODEL", description = "A model.")
  private String student = "";

  @Option(names = "--teacher", required = true, paramLabel = "MODEL", description = "A model.")
  private String teacher = "";

  @Option(names = "--batch", required = true, paramLabel = "N", description = "Images of a step.")
  private int batch;

  @Option(
      names = "--micro-batch",
      required = true,
      paramLabel = "N",
      description = "Images of a forward.")
  private int microBatch;

  @Option(names = "--keep", required = true, paramLabel = "SHARE", description = "In (0, 1].")
  private double keep;

  @Option(names = "--precision", required = true, paramLabel = "P", description = "fp32 or bf16.")
  private Precision precision = Precision.FP32;

  @Option(names = "--threads", required = true, paramLabel = "N", description = "Of an operator.")
  private int threads;

  @Option(names = "--warm-up-steps", required = true, paramLabel = "N", description = "Unmeasured.")
  private int warmUpSteps;

  @Option(names = "--steps", required = true, paramLabel = "N", description = "Measured.")
  private int steps;

  @Override
  public Integer call() throws IOException {
    Torch.start(threads);
    try (ColocatedStep step =
        new ColocatedStep(
            BenchSetup.model(student), BenchSetup.model(teacher), batch, keep, precision)) {
      for (int i = 0; i < warmUpSteps; i++) {
        step.run(microBatch);
      }
      System.out.println(READY);
      BufferedReader in =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      if (in.readLine() == null) {
        return ExitCode.PEER_AWAY.code();
      }
      ParentPipe.watch(System.in, () -> Runtime.getRuntime().halt(ExitCode.PEER_AWAY.code()));
      for (int i = 0; i < steps; i++) {
        long start = System.nanoTime();
        step.run(microBatch);
        System.out.printf(Locale.ROOT, "%.9f%n", (System.nanoTime() - start) / 1e9);
      }
    }
    System.out.println(DONE);
    return ExitCode.DONE.code();
  }
}
