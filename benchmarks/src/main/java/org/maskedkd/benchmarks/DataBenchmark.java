package org.maskedkd.benchmarks;

import java.nio.file.Path;
import java.util.List;
import org.maskedkd.data.Augment;
import org.maskedkd.data.Decoders;
import org.maskedkd.data.ImageSource;
import org.maskedkd.data.JpegLibrary;
import org.maskedkd.data.SourceOptions;
import org.maskedkd.data.TrainBatches;
import org.maskedkd.tensor.Torch;
import org.maskedkd.vit.ModelConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What one core makes of a set of images: decoding alone, and up to the finished batch. */
@Command(name = "data", description = "Decoding and the whole input pipeline, on one thread.")
final class DataBenchmark implements Runnable {
  @Option(
      names = "--source",
      required = true,
      description = "A folder or tar of class folders, as data.train in a configuration.")
  private String source = "";

  @Option(names = "--root", defaultValue = "/", description = "What the source lies under.")
  private Path root = Path.of("/");

  @Option(names = "--size", defaultValue = "224")
  private int size;

  @Option(
      names = "--crop",
      defaultValue = "random-resized",
      description = "random-resized or pad, both with a flip.")
  private String crop = "";

  @Option(names = "--decoders", split = ",", defaultValue = "JDK")
  private List<JpegLibrary> decoders = List.of();

  @Option(names = "--images", defaultValue = "2000", description = "Images of a round.")
  private int images;

  @Option(names = "--batch", defaultValue = "25")
  private int batch;

  @Option(names = "--rounds", defaultValue = "5")
  private int rounds;

  @Override
  public void run() {
    Torch.start(1);
    Augment augment =
        crop.equals("pad") ? Augment.shiftsAndFlips(4) : Augment.cropsAndFlips(/* evalCrop= */ 1);
    for (JpegLibrary decoder : decoders) {
      SourceOptions options = SourceOptions.defaults().withDecoder(Decoders.of(decoder));
      try (ImageSource opened = ImageSource.open(source, root, options)) {
        measure(opened, decoder, augment);
      }
    }
  }

  private void measure(ImageSource opened, JpegLibrary decoder, Augment augment) {
    TrainBatches batches =
        new TrainBatches(
            opened, batch, size, augment, mean(), std(), /* shuffleShards= */ 0, /* seed= */ 1);
    int steps = images / batch;
    int[] sum = {0};
    Alternating.Rounds found =
        Alternating.measure(
            rounds,
            () -> {
              // Spread over the set, as a permutation is: neighbours are alike.
              for (int i = 0; i < steps * batch; i++) {
                int index = (int) ((long) i * opened.size() / ((long) steps * batch));
                sum[0] += opened.decode(index).rgb()[0];
              }
            },
            () -> {
              for (int step = 1; step <= steps; step++) {
                sum[0] += batches.batch(step).images()[0];
              }
            });
    double count = (double) steps * batch;
    System.out.printf(
        "data: %s, %d images, decoder %s, to %d pixels: %.0f images/s decoded, %.0f images/s"
            + " through the pipeline (per CPU second %.0f and %.0f; sum %d)%n",
        Path.of(source).getFileName(),
        opened.size(),
        decoder,
        size,
        count / found.firstWall(),
        count / found.secondWall(),
        count / found.firstCpu(),
        count / found.secondCpu(),
        sum[0]);
  }

  private static double[] mean() {
    return ModelConfig.IMAGENET_MEAN.stream().mapToDouble(Double::doubleValue).toArray();
  }

  private static double[] std() {
    return ModelConfig.IMAGENET_STD.stream().mapToDouble(Double::doubleValue).toArray();
  }
}
