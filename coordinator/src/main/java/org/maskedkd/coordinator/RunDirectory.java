package org.maskedkd.coordinator;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;

/**
 * The directory of one run: {@code config.yaml}, {@code state.json}, {@code plans.jsonl}, {@code
 * metrics.jsonl}, {@code epochs.jsonl}, {@code masks.jsonl}; the student writes {@code
 * checkpoints/} and the weights beside them. One coordinator at a time may hold it. Not
 * thread-safe.
 */
public final class RunDirectory implements AutoCloseable {

  private static final String CONFIG = "config.yaml";
  private static final String PLANS = "plans.jsonl";

  /** The plans that were cut off and wait to be replayed. */
  private static final String AHEAD = "plans-ahead.jsonl";

  private static final String METRICS = "metrics.jsonl";
  private static final String EPOCHS = "epochs.jsonl";
  private static final String MASKS = "masks.jsonl";
  private static final String LOCK = ".lock";

  private final Path path;
  private final FileChannel lockFile;
  private @Nullable JsonLines plans;
  private @Nullable JsonLines metrics;
  private @Nullable JsonLines epochs;
  private @Nullable JsonLines masks;

  private RunDirectory(Path path, FileChannel lockFile) {
    this.path = path;
    this.lockFile = lockFile;
  }

  /**
   * A directory for a new run. It may exist, with a configuration and logs in it, but no run may
   * have begun there.
   *
   * @throws RunException with {@link ExitCode#USAGE} when one has
   */
  public static RunDirectory create(Path path) {
    RunDirectory directory = hold(path);
    try {
      if (directory.begun()) {
        throw new RunException(
            ExitCode.USAGE,
            path
                + " already holds a run; go on with it by --resume "
                + path
                + ", or choose another name (name=...)");
      }
      return directory;
    } catch (RunException e) {
      directory.close();
      throw e;
    }
  }

  /**
   * The directory of a run that is to go on.
   *
   * @throws RunException with {@link ExitCode#USAGE} when there is none
   */
  public static RunDirectory resume(Path path) {
    if (!exists(path)) {
      throw new RunException(
          ExitCode.USAGE, path + " holds no run to resume: there is no " + path.resolve(CONFIG));
    }
    return hold(path);
  }

  /** Whether there is a run to go on with. */
  public static boolean exists(Path path) {
    return Files.isRegularFile(path.resolve(CONFIG));
  }

  private static RunDirectory hold(Path path) {
    try {
      Files.createDirectories(path);
      FileChannel file =
          FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (!locked(file)) {
        file.close();
        throw new RunException(
            ExitCode.USAGE,
            path + " is in use by another coordinator; end that one first or choose another name");
      }
      return new RunDirectory(path, file);
    } catch (IOException e) {
      throw JsonLines.cannotWrite(path, e);
    }
  }

  /**
   * Returns once no coordinator holds the directory. One that was told to end may still be writing
   * when the next is started.
   *
   * @param waits is run before a wait, and not if there is none
   */
  public static void awaitFree(Path path, Runnable waits) {
    if (!Files.exists(path.resolve(LOCK))) {
      return;
    }
    try (FileChannel file = FileChannel.open(path.resolve(LOCK), StandardOpenOption.WRITE)) {
      if (!locked(file)) {
        waits.run();
        file.lock();
      }
    } catch (IOException e) {
      throw JsonLines.cannotWrite(path, e);
    }
  }

  private static boolean locked(FileChannel file) throws IOException {
    try {
      FileLock lock = file.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  private boolean begun() {
    try (Stream<Path> checkpoints =
        Files.isDirectory(path.resolve("checkpoints"))
            ? Files.list(path.resolve("checkpoints"))
            : Stream.empty()) {
      return notEmpty(PLANS)
          || notEmpty(METRICS)
          || checkpoints.anyMatch(p -> String.valueOf(p.getFileName()).startsWith("step-"));
    } catch (IOException e) {
      throw JsonLines.cannotWrite(path, e);
    }
  }

  private boolean notEmpty(String file) throws IOException {
    return Files.isRegularFile(path.resolve(file)) && Files.size(path.resolve(file)) > 0;
  }

  public Path path() {
    return path;
  }

  /** Writes the resolved configuration. */
  public void writeConfig(RunConfig config) {
    JsonLines.replace(path.resolve(CONFIG), ConfigLoader.toYaml(config));
  }

  /** The configuration that the run was begun with. */
  RunConfig readConfig() {
    return ConfigLoader.load(path.resolve(CONFIG), List.of());
  }

  /**
   * How often steps of this run were started so far: the greatest attempt of its plans, 0 for none.
   */
  int attempts() {
    return recordedPlans().stream()
        .flatMap(file -> JsonLines.read(file).stream())
        .mapToInt(plan -> plan.path("attempt").asInt())
        .max()
        .orElse(0);
  }

  /**
   * Drops everything that came after a step, and damaged ends. Plans are put aside first: whatever
   * dies next, and however often, they can be replayed.
   */
  void cutBack(long step) {
    closeLines();
    Map<Long, JsonNode> ahead = new TreeMap<>();
    for (Path file : recordedPlans()) {
      for (JsonNode plan : JsonLines.read(file)) {
        if (plan.path("step").asLong() > step) {
          ahead.put(plan.path("step").asLong(), plan);
        }
      }
    }
    if (ahead.isEmpty()) {
      forgetPlansAhead();
    } else {
      StringBuilder text = new StringBuilder();
      ahead.values().forEach(plan -> text.append(plan).append('\n'));
      JsonLines.replace(path.resolve(AHEAD), text.toString());
    }
    for (String file : List.of(PLANS, METRICS, EPOCHS, MASKS)) {
      JsonLines.cutBack(
          path.resolve(file), line -> line.has("step") && line.get("step").asLong() <= step);
    }
  }

  /** The steps in {@code metrics.jsonl}. */
  List<StepLine> steps() {
    return read(METRICS, StepLine.class);
  }

  /** The newest step in {@code metrics.jsonl}; 0 for none. */
  long lastStep() {
    return steps().stream().mapToLong(StepLine::step).max().orElse(0);
  }

  /** The evaluations in {@code epochs.jsonl}. */
  List<EpochLine> epochs() {
    return read(EPOCHS, EpochLine.class);
  }

  /** The patches that were kept of some images, in {@code masks.jsonl}. */
  List<MaskLine> masks() {
    return read(MASKS, MaskLine.class);
  }

  private <T> List<T> read(String file, Class<T> type) {
    return JsonLines.read(path.resolve(file)).stream()
        .map(line -> value(line, path.resolve(file), type))
        .toList();
  }

  private static <T> T value(JsonNode line, Path file, Class<T> type) {
    try {
      return JsonLines.JSON.treeToValue(line, type);
    } catch (JsonProcessingException e) {
      throw new RunException(
          ExitCode.BAD_DATA, file + " holds an unknown line: " + e.getOriginalMessage(), e);
    }
  }

  /** Replaces {@code profile.json}. */
  void write(StageProfile profile) {
    try {
      replace(
          StageProfile.FILE,
          JsonLines.JSON.writerWithDefaultPrettyPrinter().writeValueAsString(profile) + "\n");
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a profile is always JSON", e);
    }
  }

  /** Replaces a file; whoever reads it meanwhile sees the old one or the new one. */
  void replace(String name, String content) {
    JsonLines.replace(path.resolve(name), content);
  }

  /** The same of a file that is no text. */
  void replace(String name, byte[] content) {
    JsonLines.replace(path.resolve(name), content);
  }

  boolean has(String name) {
    return Files.isRegularFile(path.resolve(name));
  }

  /** Records a plan; it is on the disk when this returns, so that it can be sent. */
  void add(PlannedStep plan) {
    plans = plans == null ? JsonLines.append(path.resolve(PLANS)) : plans;
    plans.add(PlanLine.of(plan), /* sync= */ true);
  }

  void add(StepLine step) {
    metrics = metrics == null ? JsonLines.append(path.resolve(METRICS)) : metrics;
    metrics.add(step, /* sync= */ false);
  }

  /** Before a checkpoint, which makes the student forget the records up to it. */
  void syncSteps() {
    if (metrics != null) {
      metrics.sync();
    }
  }

  void add(EpochLine epoch) {
    epochs = epochs == null ? JsonLines.append(path.resolve(EPOCHS)) : epochs;
    epochs.add(epoch, /* sync= */ true);
  }

  void add(MaskLine line) {
    masks = masks == null ? JsonLines.append(path.resolve(MASKS)) : masks;
    masks.add(line, /* sync= */ true);
  }

  private void closeLines() {
    for (JsonLines file : new JsonLines[] {plans, metrics, epochs, masks}) {
      if (file != null) {
        file.close();
      }
    }
    plans = null;
    metrics = null;
    epochs = null;
    masks = null;
  }

  /** Where plans were recorded; of a step that is in several places, the last one counts. */
  List<Path> recordedPlans() {
    return List.of(path.resolve(AHEAD), path.resolve(PLANS));
  }

  /** For a run that is to go on otherwise than it was planned. */
  void forgetPlansAhead() {
    try {
      Files.deleteIfExists(path.resolve(AHEAD));
    } catch (IOException e) {
      throw JsonLines.cannotWrite(path.resolve(AHEAD), e);
    }
  }

  @Override
  public void close() {
    closeLines();
    try {
      lockFile.close();
    } catch (IOException e) {
      throw JsonLines.cannotWrite(path, e);
    }
  }
}
