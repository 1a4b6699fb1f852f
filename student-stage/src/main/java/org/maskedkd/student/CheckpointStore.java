package org.maskedkd.student;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints of one run, {@code checkpoints/step-N}. A checkpoint is written aside, synced and
 * renamed, so a crash at any moment leaves the ones before it whole; a manifest with checksums
 * tells a damaged one, which is passed over.
 */
public final class CheckpointStore {
  private static final Logger log = LoggerFactory.getLogger(CheckpointStore.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern NAME = Pattern.compile("step-(\\d+)(?:\\.replaced)?");

  /** The file that makes a folder a checkpoint. */
  public static final String MANIFEST = "checkpoint.json";

  /** The model's weights, in every checkpoint. */
  public static final String WEIGHTS = "student.safetensors";

  /** The weights' moving average, where the run keeps one. */
  public static final String EMA = "ema.safetensors";

  private static final int FORMAT = 1;

  private final Path root;

  /**
   * @param root the run's folder {@code checkpoints}, which need not exist
   */
  public CheckpointStore(Path root) {
    this.root = root;
  }

  /**
   * What a checkpoint says of itself.
   *
   * @param files SHA-256 in hexadecimal by file name
   */
  public record Manifest(
      int format,
      long step,
      String coordinatorState,
      Map<String, String> numerics,
      Map<String, String> provenance,
      Map<String, String> files) {}

  /** A sound checkpoint. */
  public record Sound(Path directory, Manifest manifest) {}

  /** Writes a checkpoint's tensors into an empty directory. */
  interface Contents {
    void writeTo(Path directory) throws IOException;
  }

  /**
   * Writes {@code step-N}, then removes all but the last {@code keep} up to it.
   *
   * @return the bytes written
   * @throws IOException if it could not be written whole; nothing of it remains then
   */
  long write(Manifest facts, Contents contents, int keep) throws IOException {
    Path target = root.resolve("step-" + facts.step());
    Path aside = root.resolve("step-" + facts.step() + ".partial");
    Files.createDirectories(root);
    delete(aside);
    Files.createDirectory(aside);
    try {
      contents.writeTo(aside);
      Map<String, String> digests = new TreeMap<>();
      long bytes = 0;
      for (Path file : list(aside)) {
        digests.put(file.getFileName().toString(), sha256(file));
        bytes += Files.size(file);
        sync(file);
      }
      Manifest manifest =
          new Manifest(
              FORMAT,
              facts.step(),
              facts.coordinatorState(),
              facts.numerics(),
              facts.provenance(),
              digests);
      Path written = aside.resolve(MANIFEST);
      Files.writeString(
          written, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(manifest));
      sync(written);
      sync(aside);
      bytes += Files.size(written);
      // A crash between the two moves leaves the old one, under the name that is also looked at.
      Path replaced = root.resolve(target.getFileName() + ".replaced");
      delete(replaced);
      if (Files.exists(target)) {
        Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      sync(root);
      delete(replaced);
      removeOthers(facts.step(), keep);
      return bytes;
    } catch (IOException e) {
      delete(aside);
      throw e;
    }
  }

  /**
   * The newest sound checkpoint at or before {@code step} (0: of all).
   *
   * @param warn told of every damaged one that is passed over
   */
  public Optional<Sound> newestSound(long step, Consumer<String> warn) {
    for (Path directory : newestFirst()) {
      long found = stepOf(directory);
      if (step != 0 && found > step) {
        continue;
      }
      try {
        return Optional.of(verify(directory));
      } catch (IOException e) {
        String warning =
            "checkpoint %s is damaged and was passed over: %s".formatted(directory, e.getMessage());
        log.warn(warning);
        warn.accept(warning);
      }
    }
    return Optional.empty();
  }

  /**
   * One checkpoint by itself.
   *
   * @throws IOException saying what is damaged
   */
  public static Sound verify(Path directory) throws IOException {
    Path file = directory.resolve(MANIFEST);
    if (!Files.exists(file)) {
      throw new IOException("it has no " + MANIFEST);
    }
    Manifest manifest;
    try {
      manifest = JSON.readValue(Files.readString(file), Manifest.class);
    } catch (JsonProcessingException e) {
      throw new IOException(MANIFEST + " cannot be read: " + e.getOriginalMessage(), e);
    }
    if (manifest.format() != FORMAT) {
      throw new RunException(
          ExitCode.INCOMPATIBLE,
          "checkpoint %s has format %d, this program reads format %d: resume with the release that wrote it"
              .formatted(directory, manifest.format(), FORMAT));
    }
    for (Map.Entry<String, String> entry : manifest.files().entrySet()) {
      Path part = directory.resolve(entry.getKey()).normalize();
      if (!part.startsWith(directory.normalize()) || !Files.exists(part)) {
        throw new IOException("it lacks " + entry.getKey());
      }
      String found = sha256(part);
      if (!found.equals(entry.getValue())) {
        throw new IOException(
            "%s has SHA-256 %s, the manifest says %s"
                .formatted(entry.getKey(), found, entry.getValue()));
      }
    }
    return new Sound(directory, manifest);
  }

  /**
   * Leaves {@code step} and those before it, {@code keep} in all. Later ones belong to a course
   * that the run has left, and were passed over as damaged when it went back; counting them would
   * cost the sound ones their place.
   */
  private void removeOthers(long step, int keep) {
    int kept = 0;
    for (Path directory : newestFirst()) {
      if (stepOf(directory) <= step && kept < Math.max(keep, 1)) {
        kept++;
        continue;
      }
      try {
        delete(directory);
      } catch (IOException e) {
        log.warn(
            "checkpoint {} is no longer needed but cannot be removed: {}", directory, e.toString());
      }
    }
  }

  private List<Path> newestFirst() {
    if (!Files.isDirectory(root)) {
      return List.of();
    }
    try {
      return list(root).stream()
          .filter(path -> NAME.matcher(path.getFileName().toString()).matches())
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

  private static long stepOf(Path directory) {
    Matcher matcher = NAME.matcher(directory.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }

  private static List<Path> list(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  private static void sync(Path path) throws IOException {
    // A directory must be opened for reading to be synced, a file for writing.
    StandardOpenOption mode =
        Files.isDirectory(path) ? StandardOpenOption.READ : StandardOpenOption.WRITE;
    try (FileChannel channel = FileChannel.open(path, mode)) {
      channel.force(true);
    }
  }

  private static void delete(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    List<Path> deepestFirst = new ArrayList<>();
    try (Stream<Path> files = Files.walk(path)) {
      files.sorted(Comparator.reverseOrder()).forEach(deepestFirst::add);
    }
    for (Path file : deepestFirst) {
      Files.delete(file);
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (DigestInputStream counted = new DigestInputStream(in, digest)) {
        byte[] buffer = new byte[1 << 20];
        while (counted.read(buffer) >= 0) {
          // The digest sees every byte as it passes.
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java runtime has SHA-256", e);
    }
  }
}
