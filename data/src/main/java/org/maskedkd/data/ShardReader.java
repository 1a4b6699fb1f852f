package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.jspecify.annotations.Nullable;

/**
 * Finds the samples of a shard, as WebDataset defines them: members that follow each other and have
 * a common key, which is the path up to the first dot of the file's name. A sample's image is
 * {@code .jpg}, {@code .jpeg} or {@code .png}, its label {@code .cls} (a number) or the field
 * {@code label} of {@code .json}; other members do not matter.
 */
final class ShardReader {
  /** More than a head of a model is made for. */
  static final int MOST_CLASSES = 100_000;

  private static final int LONGEST_NUMBER = 64;
  private static final int LONGEST_JSON = 1 << 20;

  /**
   * A labelled image.
   *
   * @param member its name in the shard
   * @param position of its first byte
   */
  record Sample(Path shard, String member, int label, long position, long bytes) {}

  private final Path shard;
  private final Consumer<Sample> samples;
  private String key = "";
  private @Nullable TarArchiveEntry image;
  private @Nullable TarArchiveEntry number;
  private @Nullable TarArchiveEntry json;

  private ShardReader(Path shard, Consumer<Sample> samples) {
    this.shard = shard;
    this.samples = samples;
  }

  /**
   * Reads headers and labels.
   *
   * @throws DataException when the shard is damaged, or a sample has not one image and a label
   */
  static void read(Path shard, Consumer<Sample> samples) {
    ShardReader reader = new ShardReader(shard, samples);
    try (TarWalk tar = new TarWalk(shard)) {
      for (TarArchiveEntry entry; (entry = tar.next()) != null; ) {
        reader.take(entry, tar);
      }
      reader.finish(tar);
    } catch (IOException e) {
      throw TarSource.broken(shard, e);
    }
  }

  private void take(TarArchiveEntry entry, TarWalk tar) throws IOException {
    String path = entry.getName();
    int file = path.lastIndexOf('/') + 1;
    int dot = path.indexOf('.', file);
    // A hidden file has no key.
    if (dot <= file || !TarEntries.isPlainFile(entry)) {
      return;
    }
    if (!path.substring(0, dot).equals(key)) {
      finish(tar);
      key = path.substring(0, dot);
    }
    switch (path.substring(dot + 1).toLowerCase(Locale.ROOT)) {
      case "jpg", "jpeg", "png" -> image = once(image, entry);
      case "cls" -> number = once(number, entry);
      case "json" -> json = once(json, entry);
      default -> {
        // Masks, captions and the like.
      }
    }
  }

  private TarArchiveEntry once(@Nullable TarArchiveEntry before, TarArchiveEntry entry) {
    if (before != null) {
      throw new DataException(
          "%s: sample %s has both %s and %s; expected one"
              .formatted(shard, key, before.getName(), entry.getName()));
    }
    return entry;
  }

  private void finish(TarWalk tar) throws IOException {
    if (image == null && number != null) {
      throw new DataException(
          "%s: sample %s has a label, but no .jpg, .jpeg or .png behind or before it"
              .formatted(shard, key));
    }
    if (image != null) {
      int label;
      if (number != null) {
        label = ShardLabels.number(where(number), content(number, LONGEST_NUMBER, tar));
      } else if (json != null) {
        label = ShardLabels.json(where(json), content(json, LONGEST_JSON, tar));
      } else {
        throw new DataException(
            "%s: sample %s has no label; expected a .cls or .json member behind or before %s"
                .formatted(shard, key, image.getName()));
      }
      samples.accept(
          new Sample(shard, image.getName(), label, image.getDataOffset(), image.getSize()));
    }
    image = null;
    number = null;
    json = null;
  }

  private String where(TarArchiveEntry entry) {
    return shard + "!" + entry.getName();
  }

  private byte[] content(TarArchiveEntry entry, int longest, TarWalk tar) throws IOException {
    if (entry.getSize() > longest) {
      throw new DataException(
          "%s has %d bytes; expected a label of at most %d"
              .formatted(where(entry), entry.getSize(), longest));
    }
    return tar.read(entry);
  }
}
