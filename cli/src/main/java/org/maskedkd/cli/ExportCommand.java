package org.maskedkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.vit.SafetensorsFile;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.SafetensorsWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Weights of a checkpoint as a file of their own. */
@Command(
    name = "export",
    mixinStandardHelpOptions = true,
    description = "Writes the weights of a checkpoint as safetensors that timm loads too.")
final class ExportCommand implements Callable<Integer> {
  @Option(
      names = "--checkpoint",
      required = true,
      paramLabel = "DIR",
      description =
          "A run directory (its newest sound checkpoint), a checkpoint step-N, or a file of weights.")
  private Path checkpoint = Path.of("");

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "The file to write.")
  private Path out = Path.of("");

  @Option(
      names = "--dtype",
      defaultValue = "fp32",
      paramLabel = "T",
      description = "fp32, fp16 or bf16. Default: ${DEFAULT-VALUE}")
  private String dtype = "";

  @Option(names = "--ema", description = "The moving average instead of the weights themselves.")
  private boolean ema;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    SafetensorsType type = type();
    Path weights = CheckpointFiles.weights(checkpoint, ema);
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      List<SafetensorsWriter.Entry> entries =
          file.names().stream()
              .map(
                  name ->
                      SafetensorsWriter.Entry.floats(
                          name, type, file.shape(name), () -> file.readFloats(name)))
              .toList();
      SafetensorsWriter.write(out, file.metadata(), entries);
      spec.commandLine()
          .getOut()
          .printf("%d tensors of %s written to %s%n", entries.size(), weights, out);
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot write " + out + ": " + e, e);
    }
    return ExitCode.DONE.code();
  }

  private SafetensorsType type() {
    return switch (dtype.toLowerCase(Locale.ROOT)) {
      case "fp32" -> SafetensorsType.F32;
      case "fp16" -> SafetensorsType.F16;
      case "bf16" -> SafetensorsType.BF16;
      default ->
          throw new RunException(
              ExitCode.USAGE, "--dtype is '" + dtype + "', expected fp32, fp16 or bf16");
    };
  }
}
