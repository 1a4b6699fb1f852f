package org.maskedkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.maskedkd.data.Batch;
import org.maskedkd.data.EvalBatches;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.Prefetcher;
import org.maskedkd.data.Turns;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.vit.Accuracy;
import org.maskedkd.vit.ModelConfig;
import org.maskedkd.vit.PatchSelection;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.SafetensorsWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Logits, saliency and kept patches of a folder of images. */
@Command(
    name = "predict",
    mixinStandardHelpOptions = true,
    description =
        "Writes logits, saliency and kept patches of a folder's images, in the order of their paths, as safetensors;"
            + " prints top-1 when the folder has class folders.")
final class PredictCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Option(
      names = "--images",
      required = true,
      paramLabel = "DIR",
      description = "Images, or a folder of images for each class.")
  private Path images = Path.of("");

  @Option(
      names = "--keep",
      defaultValue = "0.5",
      paramLabel = "SHARE",
      description = "Share of the patches that `kept` lists, in (0, 1]. Default: ${DEFAULT-VALUE}")
  private double keep;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description =
          "Where to write logits [n, classes], saliency [n, patches] and kept int64 [n, k], ascending.")
  private Path out = Path.of("");

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    try (ImageSource source = ImageFolder.open(images);
        Classifier classifier = model.load()) {
      ModelConfig config = classifier.config();
      int places = config.gridRows() * config.gridColumns();
      int kept = PatchSelection.keepCount(keep, places);
      int count = source.size();
      float[] logits = new float[Math.multiplyExact(count, config.classes())];
      float[] saliency = new float[Math.multiplyExact(count, places)];
      long[] chosen = new long[Math.multiplyExact(count, kept)];
      Accuracy accuracy = new Accuracy();
      boolean labelled = source.classes().size() == config.classes() && config.classes() > 1;
      EvalBatches batches =
          new EvalBatches(source, model.batch(), config.imageHeight(), model.evalCrop(config));
      int done = 0;
      try (Prefetcher prefetcher =
          new Prefetcher(batches, model.workers(), /* depth= */ 2, Turns.always())) {
        for (long step = 1; step <= batches.steps(); step++) {
          Batch batch = prefetcher.take(step);
          Classifier.Answer answer = classifier.classify(batch);
          System.arraycopy(
              answer.logits(), 0, logits, done * config.classes(), answer.logits().length);
          for (float[] scores : answer.saliency()) {
            System.arraycopy(scores, 0, saliency, done * places, scores.length);
            int[] best = PatchSelection.topK(scores, kept);
            for (int i = 0; i < kept; i++) {
              chosen[done * kept + i] = best[i];
            }
            done++;
          }
          if (labelled) {
            accuracy.add(answer.logits(), batch.labels());
          }
        }
      }
      write(
          Map.of(
              "model", config.canonical(),
              "keep", Double.toString(keep),
              "images",
                  IntStream.range(0, count)
                      .mapToObj(source::name)
                      .collect(Collectors.joining("\n"))),
          List.of(
              floats("logits", logits, count, config.classes()),
              floats("saliency", saliency, count, places),
              longs("kept", chosen, count, kept)));
      report(source, config, labelled ? accuracy.describe() : "");
    }
    return ExitCode.DONE.code();
  }

  private void report(ImageSource source, ModelConfig config, String accuracy) {
    PrintWriter terminal = spec.commandLine().getOut();
    terminal.printf("%d images written to %s%n", source.size(), out);
    int folders = source.classes().size();
    if (!accuracy.isEmpty()) {
      terminal.println(accuracy);
    } else if (folders > 1) {
      terminal.printf(
          "no top-1: %d class folders, but the model has %d classes%n", folders, config.classes());
    }
  }

  private static SafetensorsWriter.Entry floats(String name, float[] values, long... shape) {
    return SafetensorsWriter.Entry.floats(name, SafetensorsType.F32, shape, () -> values);
  }

  private static SafetensorsWriter.Entry longs(String name, long[] values, long... shape) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(values.length, Long.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return new SafetensorsWriter.Entry(name, SafetensorsType.I64, shape, () -> bytes);
  }

  private void write(Map<String, String> metadata, List<SafetensorsWriter.Entry> entries) {
    try {
      SafetensorsWriter.write(out, metadata, entries);
    } catch (IOException e) {
      throw new RunException(ExitCode.CANNOT_WRITE, "cannot write " + out + ": " + e, e);
    }
  }
}
