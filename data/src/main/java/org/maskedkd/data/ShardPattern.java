package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which files are the shards of a set. */
final class ShardPattern {
  private static final int MOST_SHARDS = 100_000;
  private static final Pattern RANGE =
      Pattern.compile("([^{}]*)\\{(\\d{1,9})\\.\\.(\\d{1,9})}([^{}]*)");

  private ShardPattern() {}

  /**
   * The shards in order.
   *
   * @param pattern a folder of {@code .tar} files, one such file, or several by a range such as
   *     {@code train-{0000..0127}.tar}, whose numbers have as many digits as its first
   * @throws DataException when there are none, one is missing, or one is outside the data root
   */
  static List<Path> expand(String pattern, Path dataRoot) {
    if (pattern.indexOf('{') < 0 && pattern.indexOf('}') < 0) {
      Path path = DataRoot.inside(pattern, dataRoot);
      return Files.isDirectory(path) ? inFolder(path, dataRoot) : present(List.of(path));
    }
    Matcher range = RANGE.matcher(pattern);
    if (!range.matches()) {
      throw new DataException(
          "'%s' has braces other than one range of numbers; expected the likes of train-{0000..0127}.tar"
              .formatted(pattern));
    }
    int first = Integer.parseInt(range.group(2));
    int last = Integer.parseInt(range.group(3));
    if (last < first || last - first >= MOST_SHARDS) {
      throw new DataException(
          "'%s' goes from %d to %d; expected at least one shard and at most %d"
              .formatted(pattern, first, last, MOST_SHARDS));
    }
    List<Path> shards = new ArrayList<>();
    for (int number = first; number <= last; number++) {
      String digits = "%%0%dd".formatted(range.group(2).length()).formatted(number);
      shards.add(DataRoot.inside(range.group(1) + digits + range.group(4), dataRoot));
    }
    return present(shards);
  }

  private static List<Path> inFolder(Path folder, Path dataRoot) {
    List<Path> shards = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, Files::isRegularFile)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (Sources.isPlainTar(name) && !Listing.isHidden(name)) {
          shards.add(DataRoot.inside(file.toString(), dataRoot));
        }
      }
    } catch (IOException e) {
      throw new DataException("cannot list " + folder + ": " + e, e);
    }
    if (shards.isEmpty()) {
      throw new DataException(folder + " holds no .tar files; expected the shards there");
    }
    Collections.sort(shards);
    return shards;
  }

  private static List<Path> present(List<Path> shards) {
    List<Path> missing = shards.stream().filter(shard -> !Files.isRegularFile(shard)).toList();
    if (!missing.isEmpty()) {
      throw new DataException(
          "%d of %d shards do not exist, the first is %s"
              .formatted(missing.size(), shards.size(), missing.get(0)));
    }
    for (Path shard : shards) {
      if (!Sources.isPlainTar(shard.toString())) {
        throw new DataException(
            shard
                + " is no .tar file; shards are read by position and may not be compressed: gunzip them");
      }
    }
    return shards;
  }
}
