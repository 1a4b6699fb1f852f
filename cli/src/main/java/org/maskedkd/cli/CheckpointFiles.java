package org.maskedkd.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds the weights that a run or a checkpoint holds. */
final class CheckpointFiles {
  private static final Logger log = LoggerFactory.getLogger(CheckpointFiles.class);
  private static final Pattern NAME = Pattern.compile("step-(\\d+)");
  private static final String MANIFEST = "checkpoint.json";
  private static final String WEIGHTS = "student.safetensors";
  private static final String EMA = "ema.safetensors";

  private CheckpointFiles() {}

  /**
   * The file of weights.
   *
   * @param place a run directory (its newest sound checkpoint counts), one checkpoint, or a file
   * @param ema whether the moving average is wanted
   * @throws RunException (bad data) when there is none
   */
  static Path weights(Path place, boolean ema) {
    if (Files.isRegularFile(place)) {
      if (ema) {
        throw new RunException(
            ExitCode.USAGE,
            place + " is a file; --ema needs a run or a checkpoint directory to choose from");
      }
      return place;
    }
    String wanted = ema ? EMA : WEIGHTS;
    for (Path checkpoint : checkpoints(place)) {
      String fault = fault(checkpoint, wanted);
      if (fault.isEmpty()) {
        return checkpoint.resolve(wanted);
      }
      log.warn("checkpoint {} is passed over: {}", checkpoint, fault);
    }
    throw new RunException(
        ExitCode.BAD_DATA,
        "%s holds no sound checkpoint with %s; expected a run directory with %s, or a checkpoint step-N itself%s"
            .formatted(
                place,
                wanted,
                Path.of("checkpoints", "step-N", wanted),
                ema ? " (an average is kept only when ema.decay is above 0)" : ""));
  }

  private static List<Path> checkpoints(Path place) {
    if (Files.exists(place.resolve(MANIFEST))) {
      return List.of(place);
    }
    Path folder = place.resolve("checkpoints");
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(path -> step(path) >= 0)
          .sorted(Comparator.comparingLong(CheckpointFiles::step).reversed())
          .toList();
    } catch (IOException e) {
      throw new RunException(ExitCode.BAD_DATA, "cannot list " + folder + ": " + e, e);
    }
  }

  private static long step(Path checkpoint) {
    Matcher matcher = NAME.matcher(checkpoint.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }

  /**
   * What is wrong with a file of a checkpoint; empty when it has the digest that was written down.
   */
  private static String fault(Path checkpoint, String file) {
    Path manifest = checkpoint.resolve(MANIFEST);
    Path path = checkpoint.resolve(file);
    if (!Files.exists(manifest) || !Files.exists(path)) {
      return "it has no " + (Files.exists(manifest) ? file : MANIFEST);
    }
    try {
      String found = sha256(path);
      JsonNode files = new ObjectMapper().readTree(manifest.toFile()).path("files");
      String expected = files.path(file).asText();
      return found.equals(expected)
          ? ""
          : "%s has SHA-256 %s, %s says %s".formatted(file, found, MANIFEST, expected);
    } catch (IOException e) {
      return "it cannot be read: " + e;
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[1 << 16];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
