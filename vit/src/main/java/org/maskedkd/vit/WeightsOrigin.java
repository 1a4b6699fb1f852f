package org.maskedkd.vit;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What is known of a weights file beside its tensors.
 *
 * @param fileSha256 of the file's bytes, in hexadecimal; empty without a file
 * @param license as the file itself or its neighbours name it, {@link #UNKNOWN} if none does; empty
 *     without a file
 */
public record WeightsOrigin(String fileSha256, String license) {

  /** The licence of a file that nothing is said of. */
  public static final String UNKNOWN = "unknown";

  /** Of weights that come from no file. */
  public static final WeightsOrigin NONE = new WeightsOrigin("", "");

  private static final List<String> KEYS = List.of("license", "licence");
  private static final List<String> TEXTS =
      List.of("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md");
  private static final int LONGEST = 200;

  /**
   * Reads the whole file once. The licence is the first of: {@code license} in the file's metadata,
   * {@code license} in {@code config.json} beside it, the first line of {@code LICENSE} beside it.
   *
   * @throws WeightsException if the file cannot be read
   */
  public static WeightsOrigin of(Path file) {
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      String license =
          Stream.<Optional<String>>of(
                  KEYS.stream().map(open.metadata()::get).filter(v -> v != null).findFirst(),
                  inConfig(file.resolveSibling("config.json")),
                  TEXTS.stream()
                      .map(file::resolveSibling)
                      .filter(Files::isRegularFile)
                      .findFirst()
                      .flatMap(WeightsOrigin::firstLine))
              .flatMap(Optional::stream)
              .map(String::strip)
              .filter(text -> !text.isEmpty())
              .findFirst()
              .orElse(UNKNOWN);
      return new WeightsOrigin(
          sha256(file), license.substring(0, Math.min(license.length(), LONGEST)));
    } catch (IOException e) {
      throw new WeightsException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  // Beside the weights may stand anything; a neighbour that makes no sense says nothing of them.
  private static Optional<String> inConfig(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      var tree = new ObjectMapper().readTree(Files.readAllBytes(file));
      return KEYS.stream()
          .map(tree::path)
          .filter(value -> value.isTextual())
          .map(value -> value.asText())
          .findFirst();
    } catch (JsonProcessingException notJson) {
      return Optional.empty();
    }
  }

  private static Optional<String> firstLine(Path file) {
    // One byte per character: a licence text may have any encoding.
    try (Stream<String> lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
      return lines.map(String::strip).filter(line -> !line.isEmpty()).findFirst();
    } catch (IOException e) {
      throw new WeightsException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (DigestInputStream read = new DigestInputStream(in, digest)) {
        read.transferTo(OutputStream.nullOutputStream());
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
