package org.maskedkd.student;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.maskedkd.proto.v1.Checkpoint;
import org.maskedkd.proto.v1.Checkpointed;
import org.maskedkd.proto.v1.Export;
import org.maskedkd.proto.v1.Exported;
import org.maskedkd.proto.v1.Numerics;
import org.maskedkd.proto.v1.Restore;
import org.maskedkd.proto.v1.Restored;
import org.maskedkd.proto.v1.StudentEvent;
import org.maskedkd.proto.v1.WeightsChoice;
import org.maskedkd.vit.ImageModel;
import org.maskedkd.vit.SafetensorsType;
import org.maskedkd.vit.SafetensorsWriter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a student writes of a run and reads again. On the training thread. */
final class RunFolder {
  private static final Logger log = LoggerFactory.getLogger(RunFolder.class);

  private final Path directory;
  private final CheckpointStore checkpoints;
  private final Learner learner;
  private final StepRecords records;
  private final Map<String, String> numerics;
  private final RunProvenance provenance;

  /** There are checkpoints that were not restored: nothing may be written yet. */
  private boolean begun;

  /**
   * @param checkpoints of this directory, which could be listed
   * @param records are forgotten with each checkpoint
   * @param numerics how the learner computes
   */
  RunFolder(
      Path directory,
      CheckpointStore checkpoints,
      Learner learner,
      StepRecords records,
      Map<String, String> numerics,
      RunProvenance provenance) {
    this.directory = directory;
    this.checkpoints = checkpoints;
    this.learner = learner;
    this.records = records;
    this.numerics = numerics;
    this.provenance = provenance;
    // A run of this name may have been here before, and its checkpoints are not to be lost.
    this.begun = checkpoints.newestStep() >= 0;
  }

  /**
   * Whether this run may write here.
   *
   * @throws IllegalArgumentException when there are checkpoints of an earlier run of this name
   */
  void requireWritable() {
    if (begun) {
      throw new IllegalArgumentException(
          "%s has checkpoints up to step %d of an earlier run of this name, which this one would replace: go on with --resume, choose another name, or move them away"
              .formatted(directory, checkpoints.newestStep()));
    }
  }

  /**
   * Writes a checkpoint of the learner as it is. If that cannot be done, those before stand, and
   * the event says so.
   *
   * @param committed the step after which the learner stands
   */
  StudentEvent checkpoint(Checkpoint request, long committed) {
    long start = System.nanoTime();
    Checkpointed.Builder done =
        Checkpointed.newBuilder()
            .setStep(committed)
            .setDirectory(directory.resolve("checkpoints/step-" + committed).toString());
    Map<String, String> origin = provenance.with(request.getProvenanceMap());
    CheckpointManifest facts =
        new CheckpointManifest(
            committed,
            request.getBest(),
            request.getCoordinatorState(),
            numerics,
            origin,
            Map.of());
    try {
      done.setBytes(
          checkpoints.write(
              facts, directory -> learner.save(directory, origin), request.getKeepLast()));
      records.clear();
      log.info("checkpoint of step {} written, {} bytes", committed, done.getBytes());
    } catch (IOException e) {
      String warning =
          "checkpoint step-%d could not be written and the ones before it stand: %s"
              .formatted(committed, e);
      log.warn(warning, e);
      done.setWarning(warning);
    }
    done.setSeconds(secondsSince(start));
    return StudentEvent.newBuilder().setCheckpointed(done).build();
  }

  /**
   * Brings the learner to the newest sound checkpoint, and removes what broken writes left.
   *
   * @param found gets the step of the checkpoint, if there is one
   */
  StudentEvent restore(Restore request, LongConsumer found) throws IOException {
    Restored.Builder restored = Restored.newBuilder();
    checkpoints.clean();
    if (Files.isDirectory(directory)) {
      SafetensorsWriter.removeLeftovers(directory);
    }
    Optional<CheckpointStore.Sound> sound =
        checkpoints.newestSound(request.getStep(), restored::addWarnings);
    begun = begun && sound.isEmpty();
    if (sound.isPresent()) {
      CheckpointManifest manifest = sound.get().manifest();
      learner.load(sound.get().directory());
      records.clear();
      found.accept(manifest.step());
      restored
          .setStep(manifest.step())
          .setCoordinatorState(manifest.coordinatorState())
          .setNumerics(Numerics.newBuilder().putAllFacts(manifest.numerics()));
      log.info("continuing from {}", sound.get().directory());
    }
    return StudentEvent.newBuilder().setRestored(restored).build();
  }

  /** Writes the weights alone; if that cannot be done, the event says so. */
  StudentEvent export(Export request) throws Exception {
    Path file = directory.resolve(request.getFile());
    ImageModel model = learner.model();
    Exported.Builder exported = Exported.newBuilder().setFile(file.toString());
    try {
      if (request.getWeights() == WeightsChoice.WEIGHTS_CHOICE_EMA) {
        learner.withEma(() -> save(model, file, request));
      } else {
        save(model, file, request);
      }
      exported.setBytes(Files.size(file));
    } catch (IOException e) {
      String warning = "%s could not be written: %s".formatted(file, e);
      log.warn(warning, e);
      exported.setWarning(warning);
    }
    return StudentEvent.newBuilder().setExported(exported).build();
  }

  private Path save(ImageModel model, Path file, Export request) throws IOException {
    model.save(file, SafetensorsType.F32, provenance.with(request.getMetadataMap()));
    return file;
  }

  private static double secondsSince(long nanos) {
    return (System.nanoTime() - nanos) / 1e9;
  }
}
