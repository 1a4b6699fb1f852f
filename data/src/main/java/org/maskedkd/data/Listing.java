package org.maskedkd.data;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The classes and images found in a folder or archive, in their final order.
 *
 * @param <H> where an image's bytes are
 */
final class Listing<H> {
  private static final Logger log = LoggerFactory.getLogger(Listing.class);
  private static final List<String> EXTENSIONS = List.of(".jpg", ".jpeg", ".jpe", ".png", ".bmp");

  record Entry<H>(String name, int label, long bytes, H place) {}

  private final List<String> classes;
  private final List<Entry<H>> entries;

  private Listing(List<String> classes, List<Entry<H>> entries) {
    this.classes = classes;
    this.entries = entries;
  }

  List<String> classes() {
    return classes;
  }

  Entry<H> get(int index) {
    return entries.get(index);
  }

  int size() {
    return entries.size();
  }

  static boolean isHidden(String fileName) {
    return fileName.startsWith(".");
  }

  static boolean isImage(String fileName) {
    String lower = fileName.toLowerCase(Locale.ROOT);
    return EXTENSIONS.stream().anyMatch(lower::endsWith);
  }

  /** Collects what is found, in any order. */
  static final class Builder<H> {
    private record Found<H>(String file, long bytes, H place) {}

    private final String where;
    private final SortedMap<String, List<Found<H>>> classes = new TreeMap<>();
    private final TreeSet<String> deeper = new TreeSet<>();
    private long ignored;
    private String firstIgnored = "";

    /**
     * @param where the folder or archive, for messages
     */
    Builder(String where) {
      this.where = where;
    }

    void classFolder(String name) {
      classes.computeIfAbsent(name, n -> new ArrayList<>());
    }

    void image(String className, String file, long bytes, H place) {
      classes
          .computeIfAbsent(className, n -> new ArrayList<>())
          .add(new Found<>(file, bytes, place));
    }

    void ignore(String path) {
      if (ignored++ == 0) {
        firstIgnored = path;
      }
    }

    /** There are folders inside this class folder. */
    void deeper(String className) {
      deeper.add(className);
    }

    Listing<H> build() {
      if (ignored > 0) {
        log.info(
            "{}: {} entries that are no images in class folders are ignored, the first is {}",
            where,
            ignored,
            firstIgnored);
      }
      boolean none = classes.values().stream().allMatch(List::isEmpty);
      if (none && !deeper.isEmpty()) {
        throw new DataException(
            "%s holds no images in class folders, only folders inside %s; choose one of these instead"
                .formatted(where, deeper));
      }
      if (none) {
        throw new DataException(
            where
                + " holds no images; expected one folder per class with "
                + String.join(", ", EXTENSIONS)
                + " files in it"
                + (ignored > 0 ? " (found " + firstIgnored + ")" : ""));
      }
      List<Entry<H>> entries = new ArrayList<>();
      List<String> names = List.copyOf(classes.keySet());
      for (int label = 0; label < names.size(); label++) {
        add(names.get(label), label, entries);
      }
      return new Listing<>(names, List.copyOf(entries));
    }

    private void add(String className, int label, List<Entry<H>> entries) {
      List<Found<H>> found = classes.getOrDefault(className, List.of());
      if (found.isEmpty()) {
        throw new DataException(
            "class folder %s of %s holds no images; remove it or fill it"
                .formatted(className, where));
      }
      found.sort(Comparator.comparing(Found::file));
      for (int i = 0; i < found.size(); i++) {
        Found<H> image = found.get(i);
        if (i > 0 && image.file.equals(found.get(i - 1).file)) {
          throw new DataException(
              "%s holds %s/%s twice; remove one".formatted(where, className, image.file));
        }
        entries.add(new Entry<>(className + "/" + image.file, label, image.bytes, image.place));
      }
    }
  }
}
