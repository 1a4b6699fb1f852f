package org.maskedkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The samples of WebDataset shards, shard after shard. Headers and labels are read at the start;
 * images stay where they are until they are decoded. A file is opened for each, so that it does not
 * matter how many shards there are.
 */
final class ShardSource implements ImageSource {
  private static final Logger log = LoggerFactory.getLogger(ShardSource.class);
  static final String NAMES = "classes.txt";
  private static final long LONGEST_NAMES = 1 << 22;

  /** Far above any image that is decoded. */
  private static final long LARGEST_FILE = 1 << 28;

  private final List<ShardReader.Sample> samples;
  private final int[] shards;
  private final List<String> classes;
  private final Decoder decoder;

  private ShardSource(
      List<ShardReader.Sample> samples, int[] shards, List<String> classes, Decoder decoder) {
    this.samples = samples;
    this.shards = shards;
    this.classes = classes;
    this.decoder = decoder;
  }

  /**
   * Classes are named by a file with a line for each number from 0 on or, without one, by their
   * numbers, from 0 to the largest that is there.
   *
   * @param paths at least one
   * @throws DataException when a shard or a label is not what it should be
   */
  static ShardSource open(List<Path> paths, Path names, Decoder decoder) {
    List<ShardReader.Sample> samples = new ArrayList<>();
    for (Path path : paths) {
      int before = samples.size();
      ShardReader.read(path, samples::add);
      if (samples.size() == before) {
        throw new DataException(
            path + " holds no samples; expected members such as 00017.jpg and 00017.cls");
      }
    }
    int largest = samples.stream().mapToInt(ShardReader.Sample::label).max().orElse(0);
    List<String> classes = classes(names, largest);
    int[] shards = new int[samples.size()];
    for (int i = 1; i < shards.length; i++) {
      boolean same = samples.get(i).shard().equals(samples.get(i - 1).shard());
      shards[i] = shards[i - 1] + (same ? 0 : 1);
    }
    log.info("{} images of {} classes in {} shards", samples.size(), classes.size(), paths.size());
    return new ShardSource(List.copyOf(samples), shards, classes, decoder);
  }

  private static List<String> classes(Path file, int largest) {
    if (!Files.exists(file)) {
      return IntStream.rangeClosed(0, largest).mapToObj(Integer::toString).toList();
    }
    try {
      if (Files.size(file) > LONGEST_NAMES) {
        throw new DataException(
            "%s has %d bytes, more than the %d of all names of classes"
                .formatted(file, Files.size(file), LONGEST_NAMES));
      }
      List<String> names = Files.readString(file).lines().map(String::strip).toList();
      if (names.contains("")
          || names.size() <= largest
          || names.size() > ShardReader.MOST_CLASSES
          || new HashSet<>(names).size() < names.size()) {
        throw new DataException(
            "%s has %d lines, but the largest label is %d; expected a different name for each class from 0 on"
                .formatted(file, names.size(), largest));
      }
      return names;
    } catch (CharacterCodingException e) {
      throw new DataException(file + " is no text in UTF-8", e);
    } catch (IOException e) {
      throw new DataException("cannot read " + file + ": " + e, e);
    }
  }

  @Override
  public int size() {
    return samples.size();
  }

  @Override
  public List<String> classes() {
    return classes;
  }

  @Override
  public int label(int index) {
    return samples.get(index).label();
  }

  @Override
  public int shard(int index) {
    return shards[index];
  }

  @Override
  public String name(int index) {
    ShardReader.Sample sample = samples.get(index);
    return "%s/%s!%s"
        .formatted(classes.get(sample.label()), sample.shard().getFileName(), sample.member());
  }

  @Override
  public long bytes(int index) {
    return samples.get(index).bytes();
  }

  @Override
  public Image decode(int index) {
    ShardReader.Sample sample = samples.get(index);
    String name = sample.shard() + "!" + sample.member();
    if (sample.bytes() > LARGEST_FILE) {
      throw new CorruptImageException(
          name,
          "its %d bytes are more than the %d that are read"
              .formatted(sample.bytes(), LARGEST_FILE));
    }
    byte[] file;
    try (FileChannel channel = FileChannel.open(sample.shard(), StandardOpenOption.READ)) {
      file = ByPosition.read(channel, sample.position(), (int) sample.bytes());
    } catch (EOFException e) {
      throw new CorruptImageException(name, "the shard has become shorter", e);
    } catch (IOException e) {
      throw new DataException("cannot read " + name + ": " + e, e);
    }
    return decoder.decode(file, name);
  }

  @Override
  public void close() {}
}
