package org.maskedkd.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The binary version of CIFAR-10 and CIFAR-100: records of the label (of CIFAR-100 the coarse and
 * then the fine one, which is taken) and 32 x 32 pixels as planes of red, green and blue.
 */
final class Cifar {
  private static final int EDGE = 32;
  private static final int LONGEST_NAMES = 1 << 16;
  private static final int RECORDS_AT_ONCE = 256;

  private enum Version {
    CIFAR_10(
        1,
        10,
        "batches.meta.txt",
        List.of(
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin"),
        List.of("test_batch.bin")),
    CIFAR_100(2, 100, "fine_label_names.txt", List.of("train.bin"), List.of("test.bin"));

    private final int labels;
    private final int classes;
    private final String names;
    private final List<String> train;
    private final List<String> test;

    Version(int labels, int classes, String names, List<String> train, List<String> test) {
      this.labels = labels;
      this.classes = classes;
      this.names = names;
      this.train = train;
      this.test = test;
    }

    private List<String> files(String split) {
      return split.equals("train") ? train : test;
    }
  }

  private Cifar() {}

  /**
   * Opens the training or the test images.
   *
   * @param where the folder of the published archive, or that archive
   * @param split {@code train} or {@code test}
   * @throws DataException when a file is missing, has another size than whole records, or a label
   *     that there is not
   */
  static ImageSource open(Path where, String split, long memoryLimitBytes) {
    if (!split.equals("train") && !split.equals("test")) {
      throw new DataException(
          "'%s' of %s is no part of CIFAR; expected cifar:PATH!train or cifar:PATH!test"
              .formatted(split, where));
    }
    Set<String> wanted = new HashSet<>();
    for (Version set : Version.values()) {
      wanted.add(set.names);
      wanted.addAll(set.files(split));
    }
    try (NamedContents contents = NamedContents.open(where, wanted, memoryLimitBytes)) {
      Version set = only(contents, where, split);
      List<String> classes = classes(contents, where, set);
      List<RawImages.Part> parts = new ArrayList<>();
      try {
        return source(contents, where, set, split, classes, parts);
      } catch (DataException e) {
        parts.forEach(part -> part.content().close());
        throw e;
      }
    }
  }

  private static Version only(NamedContents contents, Path where, String split) {
    List<Version> sets =
        Arrays.stream(Version.values())
            .filter(set -> set.files(split).stream().anyMatch(contents::has))
            .toList();
    if (sets.size() != 1) {
      throw new DataException(
          "%s holds files of %s; expected those of the binary version of CIFAR-10 (%s) or of CIFAR-100 (%s)"
              .formatted(
                  where,
                  sets.isEmpty() ? "neither" : "both",
                  String.join(", ", Version.CIFAR_10.files(split)),
                  String.join(", ", Version.CIFAR_100.files(split))));
    }
    return sets.get(0);
  }

  private static List<String> classes(NamedContents contents, Path where, Version set) {
    String path = where + "!" + set.names;
    try (Content content = contents.take(set.names)) {
      int bytes = (int) Math.min(content.size(), LONGEST_NAMES);
      List<String> names =
          new String(content.read(0, bytes), StandardCharsets.UTF_8)
              .lines()
              .map(String::strip)
              .filter(line -> !line.isEmpty())
              .toList();
      if (names.size() != set.classes || new HashSet<>(names).size() != set.classes) {
        throw new DataException(
            "%s has %d names of classes; expected %d different ones, one a line"
                .formatted(path, names.size(), set.classes));
      }
      return names;
    } catch (IOException e) {
      throw new DataException("cannot read " + path + ": " + e, e);
    }
  }

  private static ImageSource source(
      NamedContents contents,
      Path where,
      Version set,
      String split,
      List<String> classes,
      List<RawImages.Part> parts) {
    RawImages.Layout layout = new RawImages.Layout(0, set.labels, 3, EDGE, EDGE);
    int images = 0;
    for (String name : set.files(split)) {
      Content content = contents.take(name);
      String path = where + "!" + name;
      long count = content.size() / layout.record();
      parts.add(new RawImages.Part(path, name, content, (int) count));
      if (count == 0
          || content.size() % layout.record() != 0
          || count > Integer.MAX_VALUE - images) {
        throw new DataException(
            "%s has %d bytes; expected records of %d bytes; fetch it again"
                .formatted(path, content.size(), layout.record()));
      }
      images += (int) count;
    }
    byte[] labels = new byte[images];
    int filled = 0;
    for (RawImages.Part part : parts) {
      readLabels(part, set, layout, labels, filled);
      filled += part.count();
    }
    return new RawImages(layout, parts, classes, labels);
  }

  private static void readLabels(
      RawImages.Part part, Version set, RawImages.Layout layout, byte[] labels, int filled) {
    try {
      for (int first = 0; first < part.count(); first += RECORDS_AT_ONCE) {
        int count = Math.min(RECORDS_AT_ONCE, part.count() - first);
        byte[] records =
            part.content().read((long) first * layout.record(), count * layout.record());
        for (int i = 0; i < count; i++) {
          int label = records[i * layout.record() + set.labels - 1] & 0xFF;
          if (label >= set.classes) {
            throw new DataException(
                "%s#%d has the label %d; expected 0 to %d; fetch it again"
                    .formatted(part.path(), first + i, label, set.classes - 1));
          }
          labels[filled + first + i] = (byte) label;
        }
      }
    } catch (IOException e) {
      throw new DataException("cannot read " + part.path() + ": " + e, e);
    }
  }
}
