package org.maskedkd.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.maskedkd.coordinator.RunConfig;
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
import org.maskedkd.vit.VitConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Top-1 and top-5 of a model. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    description = "Prints top-1 and top-5 of a model, with standard errors.")
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Option(
      names = "--data",
      required = true,
      paramLabel = "SPEC",
      description =
          "A folder of class folders, a tar of one (FILE!FOLDER for one inside), cifar:PATH!test, idx:FILE, shards:PATTERN or generated:...")
  private String data = "";

  @Option(
      names = "--keep",
      paramLabel = "SHARE",
      description =
          "Show the model only this share of the patches, those it finds most salient on the whole image.")
  private @Nullable Double keep;

  @Option(names = "--json", description = "Print one JSON object instead of a sentence.")
  private boolean json;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    Path here = Path.of("").toAbsolutePath();
    // The user's own command may read whatever the user may.
    String from = RunConfig.Data.under(here.toString(), data);
    try (ImageSource source = ImageSource.open(from, here.getRoot());
        Classifier classifier = model.load()) {
      ModelConfig config = classifier.config();
      if (source.classes().size() != config.classes()) {
        throw new RunException(
            ExitCode.BAD_DATA,
            "%s has %d classes, but the model has %d; their order and number must agree"
                .formatted(data, source.classes().size(), config.classes()));
      }
      if (keep != null && !(config instanceof VitConfig)) {
        throw new RunException(
            ExitCode.USAGE,
            "--keep leaves patches out, but the windows of %s need every patch; evaluate it without"
                .formatted(config.canonical()));
      }
      if (keep != null) {
        // An impossible share is refused before the first batch is decoded.
        PatchSelection.keepCount(keep, config.patches());
      }
      Accuracy accuracy = measure(source, classifier);
      spec.commandLine().getOut().println(json ? asJson(accuracy) : accuracy.describe());
    }
    return ExitCode.DONE.code();
  }

  private Accuracy measure(ImageSource source, Classifier classifier) throws InterruptedException {
    ModelConfig config = classifier.config();
    Accuracy accuracy = new Accuracy();
    EvalBatches batches =
        new EvalBatches(source, model.batch(), config.imageHeight(), model.evalCrop(config));
    try (Prefetcher prefetcher =
        new Prefetcher(batches, model.workers(), /* depth= */ 2, Turns.always())) {
      for (long step = 1; step <= batches.steps(); step++) {
        Batch batch = prefetcher.take(step);
        float[] logits =
            keep == null
                ? classifier.classify(batch).logits()
                : classifier.classifyMasked(batch, keep);
        accuracy.add(logits, batch.labels());
      }
    }
    return accuracy;
  }

  private String asJson(Accuracy accuracy) {
    return String.format(
        Locale.ROOT,
        "{\"images\":%d,\"top1\":%.6f,\"top1_standard_error\":%.6f,\"top5\":%.6f,\"top5_standard_error\":%.6f,\"keep\":%s}",
        accuracy.images(),
        accuracy.top1(),
        accuracy.standardError(accuracy.top1()),
        accuracy.top5(),
        accuracy.standardError(accuracy.top5()),
        keep == null ? "null" : keep.toString());
  }
}
