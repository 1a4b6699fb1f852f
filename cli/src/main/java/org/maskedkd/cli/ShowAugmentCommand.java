package org.maskedkd.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import org.maskedkd.coordinator.ConfigLoader;
import org.maskedkd.coordinator.RunConfig;
import org.maskedkd.data.Augment;
import org.maskedkd.data.Batch;
import org.maskedkd.data.ContactSheet;
import org.maskedkd.data.Image;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.Subset;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.student.Augmenting;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A contact sheet of training images as a student would see them. */
@Command(
    name = "augment",
    mixinStandardHelpOptions = true,
    description =
        "Draws training images of a configuration, each as it is and then as the student would see it in the first"
            + " epochs: cropped, flipped, augmented, erased and mixed with each other.")
final class ShowAugmentCommand implements Callable<Integer> {
  private static final int MOST = 64;

  @Option(
      names = {"-c", "--config"},
      required = true,
      paramLabel = "FILE",
      description = "A run's configuration, YAML.")
  private Path file = Path.of("");

  @Parameters(
      paramLabel = "key=value",
      arity = "0..*",
      description = "Overrides, such as augmentation.rand-augment=rand-m9-mstd0.5-inc1.")
  private List<String> overrides = List.of();

  @Option(
      names = "--images",
      defaultValue = "8",
      paramLabel = "N",
      description = "Rows. Default: ${DEFAULT-VALUE}")
  private int count;

  @Option(
      names = "--views",
      defaultValue = "9",
      paramLabel = "N",
      description = "Columns after the first. Default: ${DEFAULT-VALUE}")
  private int views;

  @Option(
      names = "--out",
      defaultValue = "augment.png",
      paramLabel = "FILE",
      description = "PNG, replaced if it is there. Default: ${DEFAULT-VALUE}")
  private Path out = Path.of("");

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    between("--images", count);
    between("--views", views);
    RunConfig loaded = ConfigLoader.load(file, overrides);
    List<String> all = new ArrayList<>(overrides);
    all.addAll(RunCommand.absolutePaths(loaded));
    RunConfig config = ConfigLoader.load(file, all);
    ModelConfig model = ModelConfig.parse(config.student().model());
    if (model.imageHeight() != model.imageWidth()) {
      throw new RunException(
          ExitCode.USAGE,
          "training needs a square image, %s has %dx%d"
              .formatted(model.canonical(), model.imageHeight(), model.imageWidth()));
    }
    model = model.withWantedStatistics(config.student().mean(), config.student().std());
    Torch.start(1);
    Augment augment = Augmenting.of(config.augmentation().toMessage(), model.imageHeight());
    try (ImageSource source =
        Subset.balanced(
            ImageSource.open(config.data().trainSource(), Path.of("").toAbsolutePath().getRoot()),
            count,
            config.seed())) {
      draw(source, model, augment, config);
    }
    PrintWriter terminal = spec.commandLine().getOut();
    terminal.println(out);
    terminal.flush();
    return ExitCode.DONE.code();
  }

  private static void between(String option, int value) {
    if (value < 1 || value > MOST) {
      throw new RunException(
          ExitCode.USAGE, "%s is %d, expected 1 to %d".formatted(option, value, MOST));
    }
  }

  private void draw(ImageSource source, ModelConfig model, Augment augment, RunConfig config) {
    int columns = 1 + views;
    List<Image> images =
        new ArrayList<>(Collections.nCopies(source.size() * columns, new Image(1, 1, new byte[3])));
    List<String> labels = new ArrayList<>(Collections.nCopies(images.size(), ""));
    for (int column = 0; column < columns; column++) {
      // An epoch is one batch of all of them.
      TrainBatches batches =
          new TrainBatches(
              source,
              source.size(),
              model.imageHeight(),
              column == 0 ? Augment.none(augment.evalCrop()) : augment.withRepeats(1),
              model.meanValues(),
              model.stdValues(),
              config.data().shuffleShards(),
              config.seed());
      Batch batch = batches.batch(Math.max(1, column));
      for (int i = 0; i < batch.count(); i++) {
        int cell = batch.indices()[i] * columns + column;
        images.set(cell, image(batch, i));
        labels.set(cell, column == 0 ? source.classes().get(batch.labels()[i]) : "epoch " + column);
      }
    }
    ContactSheet.write(out, images, columns, labels);
  }

  private static Image image(Batch batch, int position) {
    int from = position * batch.imageBytes();
    return new Image(
        batch.size(),
        batch.size(),
        Arrays.copyOfRange(batch.images(), from, from + batch.imageBytes()));
  }
}
