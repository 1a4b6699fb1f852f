package org.maskedkd.teacher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.maskedkd.runtime.SleepTimes;
import org.maskedkd.runtime.TlsFiles;
import org.maskedkd.tensor.Precision;
import org.maskedkd.vit.ModelInference;
import org.maskedkd.vit.VisionTransformer;
import org.maskedkd.vit.VisionTransformer.Mode;
import org.maskedkd.vit.VitConfig;
import org.maskedkd.vit.WeightsException;
import org.maskedkd.vit.WeightsOrigin;

/**
 * How a teacher process was started.
 *
 * @param listen {@code host:port} for gRPC, port 0 for any free one
 * @param management {@code host:port} for metrics and probes
 * @param model a zoo name or {@code vit:...}
 * @param weights a safetensors file, or {@code random:SEED} for measurements without one
 * @param mean per channel; empty for the model's own
 * @param std per channel; empty for the model's own
 * @param threads intra-operator threads; 0 for the engine's choice
 * @param maxMicroBatchBytes a larger micro-batch is refused before memory is taken for it
 * @param maxRuns at once; one more is told to wait
 * @param drain how long runs may take, when this teacher is to end, to get the answers they wait
 *     for
 * @param idle after how long without a run the process ends; zero for never
 * @param tls for gRPC on a port; null for plaintext
 * @param insecure whether to listen beyond loopback without TLS
 * @param sleep how long to sleep instead of computing; null to compute
 */
record TeacherOptions(
    String listen,
    String management,
    String model,
    String weights,
    List<Double> mean,
    List<Double> std,
    Precision precision,
    int threads,
    long maxMicroBatchBytes,
    int maxRuns,
    Duration drain,
    Duration idle,
    @Nullable TlsFiles tls,
    boolean insecure,
    @Nullable SleepTimes sleep) {

  private static final String RANDOM = "random:";

  /** Loads the model; the caller owns it. */
  TeacherModel load() {
    boolean random = weights.startsWith(RANDOM);
    try {
      ModelInference found = ModelInference.resolve(model, random ? null : Path.of(weights));
      VitConfig config = found.vit().withWantedStatistics(mean, std);
      if (random) {
        long seed = Long.parseLong(weights.substring(RANDOM.length()));
        return new TeacherModel(
            VisionTransformer.initialised(config, seed, precision, Mode.FROZEN),
            List.of("the teacher's weights are random (seed " + seed + "): it can teach nothing"));
      }
      VisionTransformer loaded =
          VisionTransformer.adapted(config, Path.of(weights), 0, precision, Mode.FROZEN);
      return new TeacherModel(
          loaded,
          Stream.of(found.notices(), loaded.notices()).flatMap(List::stream).toList(),
          WeightsOrigin.of(Path.of(weights)));
    } catch (WeightsException e) {
      throw new RunException(ExitCode.BAD_DATA, String.valueOf(e.getMessage()), e);
    }
  }
}
