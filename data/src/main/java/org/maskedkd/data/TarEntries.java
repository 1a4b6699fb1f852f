package org.maskedkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.TreeSet;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;

/**
 * Sorts the entries of an archive into class folders. Nothing is unpacked, so names cannot lead
 * anywhere.
 */
final class TarEntries<H> {
  /** Far above any image that is decoded. */
  private static final long LARGEST_FILE = 1L << 30;

  interface Content<H> {
    H read(long size) throws IOException;
  }

  private final Path archive;
  private final String prefix;
  private final Listing.Builder<H> listing;
  private final TreeSet<String> top = new TreeSet<>();
  private boolean inside;

  TarEntries(Path archive, String folder) {
    this.archive = archive;
    String clean = clean(folder);
    this.prefix = clean.isEmpty() ? "" : clean + "/";
    this.listing =
        new Listing.Builder<>(clean.isEmpty() ? archive.toString() : archive + "!" + clean);
  }

  void take(TarArchiveEntry entry, Content<H> content) throws IOException {
    String path = clean(entry.getName());
    if (!path.isEmpty()) {
      top.add(path.split("/", 2)[0]);
    }
    if (!path.startsWith(prefix) || path.length() == prefix.length()) {
      return;
    }
    inside = true;
    String[] parts = path.substring(prefix.length()).split("/");
    String file = parts[parts.length - 1];
    if (entry.isDirectory()) {
      if (parts.length == 1 && !Listing.isHidden(file)) {
        listing.classFolder(file);
      } else if (parts.length == 2) {
        listing.deeper(parts[0]);
      }
    } else if (parts.length > 2) {
      listing.deeper(parts[0]);
    } else if (parts.length < 2
        || Listing.isHidden(file)
        || Listing.isHidden(parts[0])
        || !Listing.isImage(file)
        || !isPlainFile(entry)
        || entry.getSize() > LARGEST_FILE) {
      listing.ignore(path);
    } else {
      listing.image(parts[0], file, entry.getSize(), content.read(entry.getSize()));
    }
  }

  /** Whether its bytes stand behind its header. */
  static boolean isPlainFile(TarArchiveEntry entry) {
    return entry.isFile() && !entry.isLink() && !entry.isSymbolicLink() && !entry.isSparse();
  }

  Listing<H> build() {
    if (!inside && !prefix.isEmpty()) {
      throw new DataException(
          "%s has no folder %s; at its top are %s"
              .formatted(archive, prefix, top.stream().limit(10).toList()));
    }
    return listing.build();
  }

  private static String clean(String path) {
    String clean = path;
    while (clean.startsWith("./")) {
      clean = clean.substring(2);
    }
    while (clean.endsWith("/")) {
      clean = clean.substring(0, clean.length() - 1);
    }
    return clean.equals(".") ? "" : clean;
  }
}
