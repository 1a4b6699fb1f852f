package org.maskedkd.student;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints of one run, {@code checkpoints/step-N}. A checkpoint is written aside as {@code
 * step-N.partial}, synced and renamed, so a crash at any moment leaves the ones before it whole; a
 * manifest with checksums tells a damaged one, which is passed over. One process writes at a time.
 */
public final class CheckpointStore {
  private static final Logger log = LoggerFactory.getLogger(CheckpointStore.class);
  private static final String PARTIAL = ".partial";
  private static final String REPLACED = ".replaced";
  private static final Pattern NAME = Pattern.compile("step-(\\d{1,18})(?:\\.replaced)?");

  /** The model's weights, in every checkpoint. */
  public static final String WEIGHTS = "student.safetensors";

  /** The weights' moving average, where the run keeps one. */
  public static final String EMA = "ema.safetensors";

  private final Path root;

  /**
   * @param root the run's folder {@code checkpoints}, which need not exist
   */
  public CheckpointStore(Path root) {
    this.root = root;
  }

  /** A sound checkpoint. */
  public record Sound(Path directory, CheckpointManifest manifest) {}

  /** Writes a checkpoint's tensors into an empty directory. */
  interface Contents {
    void writeTo(Path directory) throws IOException;
  }

  /**
   * Writes {@code step-N}, then removes all but the last {@code keep} up to it and the best.
   *
   * @param facts the manifest without its files
   * @return the bytes written
   * @throws IOException if it could not be written whole; nothing of it remains then
   */
  long write(CheckpointManifest facts, Contents contents, int keep) throws IOException {
    Path target = root.resolve("step-" + facts.step());
    Path aside = root.resolve(target.getFileName() + PARTIAL);
    if (!Files.isDirectory(root)) {
      Files.createDirectories(root);
      SafeFiles.sync(Objects.requireNonNull(root.toAbsolutePath().getParent()));
    }
    clean();
    Files.createDirectory(aside);
    try {
      contents.writeTo(aside);
      Map<String, CheckpointManifest.Part> parts = new TreeMap<>();
      for (Path file : SafeFiles.list(aside)) {
        parts.put(
            file.getFileName().toString(),
            new CheckpointManifest.Part(Files.size(file), SafeFiles.sha256(file)));
        SafeFiles.sync(file);
      }
      long bytes = facts.of(parts).write(aside);
      SafeFiles.sync(aside);
      // A crash between the two moves leaves the old one, under the name that is also looked at.
      Path replaced = root.resolve(target.getFileName() + REPLACED);
      if (Files.exists(target)) {
        Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      SafeFiles.sync(root);
      SafeFiles.delete(replaced);
      removeOthers(facts.step(), keep);
      return bytes + parts.values().stream().mapToLong(CheckpointManifest.Part::bytes).sum();
    } catch (IOException e) {
      try {
        SafeFiles.delete(aside);
      } catch (IOException alsoFailed) {
        e.addSuppressed(alsoFailed);
      }
      throw e;
    }
  }

  /**
   * Removes what a writer that was killed left half done. For the process that writes; to one that
   * only reads, the half may be what another is just writing.
   */
  void clean() throws IOException {
    if (!Files.isDirectory(root)) {
      return;
    }
    for (Path path : SafeFiles.list(root)) {
      String name = path.getFileName().toString();
      if (name.startsWith("step-") && name.endsWith(PARTIAL)) {
        log.info("removing {}, which a writer that was killed left half done", path);
        SafeFiles.delete(path);
      } else if (name.endsWith(REPLACED) && stepOf(path) >= 0) {
        Path target = root.resolve("step-" + stepOf(path));
        if (Files.exists(target)) {
          SafeFiles.delete(path);
        } else {
          Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
        }
      }
    }
  }

  /**
   * The newest sound checkpoint at or before {@code step} (0: of all).
   *
   * @param warn told of every damaged one that is passed over
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} if a later release wrote the newest
   */
  public Optional<Sound> newestSound(long step, Consumer<String> warn) {
    for (Path directory : newestFirst()) {
      long found = stepOf(directory);
      if (step != 0 && found > step) {
        continue;
      }
      try {
        Sound sound = verify(directory);
        if (sound.manifest().step() != found) {
          throw new IOException(
              "its manifest is of step %d, its name says %d"
                  .formatted(sound.manifest().step(), found));
        }
        return Optional.of(sound);
      } catch (IOException e) {
        String warning =
            "checkpoint %s is damaged and was passed over: %s".formatted(directory, e.getMessage());
        log.warn(warning);
        warn.accept(warning);
      }
    }
    return Optional.empty();
  }

  /** The highest step of any checkpoint there, sound or not; -1 without any. */
  long newestStep() {
    List<Path> all = newestFirst();
    return all.isEmpty() ? -1 : stepOf(all.get(0));
  }

  /**
   * One checkpoint by itself.
   *
   * @throws IOException saying what is damaged
   * @throws RunException with {@link ExitCode#INCOMPATIBLE} if a later release wrote it
   */
  public static Sound verify(Path directory) throws IOException {
    CheckpointManifest manifest = CheckpointManifest.read(directory);
    manifest.verify(directory);
    return new Sound(directory, manifest);
  }

  /**
   * Leaves {@code step} and those before it, {@code keep} in all, and the best of them whatever its
   * age. Later ones belong to a course that the run has left, and were passed over as damaged when
   * it went back; counting them would cost the sound ones their place.
   */
  private void removeOthers(long step, int keep) {
    int kept = 0;
    boolean bestFound = false;
    for (Path directory : newestFirst()) {
      boolean wanted = stepOf(directory) <= step;
      // Each best is better than those before it.
      boolean best = wanted && !bestFound && isBest(directory);
      bestFound |= best;
      if (wanted && kept < Math.max(keep, 1)) {
        kept++;
      } else if (!best) {
        try {
          SafeFiles.delete(directory);
        } catch (IOException e) {
          log.warn(
              "checkpoint {} is no longer needed but cannot be removed: {}",
              directory,
              e.toString());
        }
      }
    }
  }

  private static boolean isBest(Path directory) {
    try {
      return CheckpointManifest.read(directory).best();
    } catch (IOException damaged) {
      log.warn("checkpoint {} is damaged: {}", directory, damaged.getMessage());
      return false;
    }
  }

  private List<Path> newestFirst() {
    if (!Files.isDirectory(root)) {
      return List.of();
    }
    try {
      return SafeFiles.list(root).stream()
          .filter(path -> stepOf(path) >= 0)
          .sorted(
              Comparator.comparingLong(CheckpointStore::stepOf)
                  .reversed()
                  .thenComparing(Path::toString))
          .toList();
    } catch (IOException e) {
      throw new RunException(
          ExitCode.BAD_DATA, "cannot list the checkpoints in %s: %s".formatted(root, e), e);
    }
  }

  /** The step in a checkpoint's name; -1 for any other name. */
  private static long stepOf(Path directory) {
    Matcher matcher = NAME.matcher(directory.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }
}
